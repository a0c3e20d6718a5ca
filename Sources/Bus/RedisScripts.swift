/// The Lua scripts that run in Redis.
enum RedisScripts {
    /// What `append` answers; a negative number -t-1 is a hole: the log's top is t.
    enum Answer {
        static let done: Int64 = 1
        static let duplicate: Int64 = 2
        static let fenced: Int64 = 3
    }

    /// Appends a durable message to its partition's log, sets the hot state and publishes, at once.
    ///
    /// A conflatable message or a state goes the same way without the log. All keys are in one slot.
    ///
    /// - KEYS: log, hot state.
    /// - ARGV 1 mode: `d` durable, `r` durable from the commit log (the hot state may include it already), `q` like `r`
    ///   and shown before (not published), `c` conflatable, `s` state.
    /// - ARGV 2: `d r q`: the sequence; `c s`: the sequence that must be in the log before, 0 for none.
    /// - ARGV 3: empty, or the top of a log that this message replaces.
    /// - ARGV 4 cap, 5 fence, 6 channel, 7 envelope, 8 epoch, 9 offset, 10 run, 11 revision, 12 n, 13 time; from 14 on
    ///   the fields of the hot state and their values.
    static let append = """
        local mode, seq = ARGV[1], tonumber(ARGV[2])
        local durable = mode == 'd' or mode == 'r' or mode == 'q'
        if seq > 0 then
          local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
          local top, fence = 0, 0
          if last then
            top = tonumber(string.match(last[1], '^%d+'))
            fence = tonumber(last[2][6]) or 0
          end
          if fence > tonumber(ARGV[5]) then return 3 end
          if not durable then
            if top < seq then return -top - 1 end
          else
            if ARGV[3] ~= '' then
              if top ~= tonumber(ARGV[3]) then return -top - 1 end
              redis.call('DEL', KEYS[1])
            elseif seq <= top then return 2
            elseif seq ~= top + 1 then return -top - 1 end
            redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[4], ARGV[2] .. '-0',
              'ch', ARGV[6], 'off', ARGV[9], 'fence', ARGV[5], 'm', ARGV[7])
          end
        end
        local known = redis.call('HMGET', KEYS[2], 'ep', 'off', 'run', 'rev')
        local same = known[1] == ARGV[8]
        if not ((mode == 'r' or mode == 'q') and same and (tonumber(known[2]) or 0) >= tonumber(ARGV[9])) then
          local set = {'ep', ARGV[8], 'off', ARGV[9], 'n', ARGV[12], 't', ARGV[13]}
          if mode == 'c' then
            set[9] = 'run' set[10] = ARGV[10] set[11] = 'rev' set[12] = ARGV[11]
          elseif mode == 's' and same and known[3] then
            set[9] = 'run' set[10] = known[3] set[11] = 'rev' set[12] = known[4]
          end
          if mode == 's' or (known[1] and not same) then redis.call('DEL', KEYS[2]) end
          for i = 14, #ARGV do set[#set + 1] = ARGV[i] end
          redis.call('HSET', KEYS[2], unpack(set))
        end
        if mode ~= 's' and mode ~= 'q' then redis.call('PUBLISH', 'st:' .. ARGV[6], ARGV[7]) end
        return 1
        """

    /// Fields of one message that the hot state takes; the script passes them in one call, whose arguments are limited.
    static let fieldsMax = 1_000
}
