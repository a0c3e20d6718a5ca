internal import Network
internal import Primitives

/// One connection to Redis that is kept: connects, introduces itself, pipelines, notices death, comes back.
///
/// Answers come in the order of the commands, each with the tag that was given with its command; while `Tag` commands
/// wait, nothing is lost silently: a cut says which tags were unanswered. Loop thread only.
final class RedisConnection<Tag: Sendable> {
    /// What the connection tells its owner.
    struct Events {
        /// Introduced, nothing sent yet.
        var ready: () -> Void
        /// An answer; tag nil for what nobody asked for (subscriptions).
        var reply: (Tag?, RedisReply) -> Void
        /// The answers that came together are through.
        var replied: () -> Void = {}
        /// Cut after `ready`, or an attempt failed; the tags are those of unanswered commands, in order.
        var lost: (_ cause: String, _ wasReady: Bool, _ unanswered: [Tag]) -> Void
        /// It is time to say something, so that death is noticed.
        var heartbeat: () -> Void
    }

    private enum State {
        case stopped
        case waiting
        case resolving
        case connecting
        case introducing
        case ready
    }

    let name: String
    private let loop: EventLoop
    private let options: RedisOptions
    /// Commands to be sent first on each connection, beyond AUTH and SELECT; a refusal of these doesn't count.
    private let introduction: () -> [[String]]
    private var events: Events
    /// Whether answers carry no tags: a subscriber's connection.
    private let isSubscriber: Bool
    private var state = State.stopped
    private var descriptor: Int32 = -1
    private var watch: DescriptorWatch?
    private var parser = RedisParser()
    private var output: [UInt8] = []
    private var outputStart = 0
    private var unanswered: [Tag] = []
    private var unansweredStart = 0
    /// Answers that the introduction still owes, and whether each must be good.
    private var introductions: [Bool] = []
    private var introductionReplies: [RedisReply] = []
    private var ownIntroductions = 0
    private var backoff: RedisBackoff
    private var attempt = 0
    private var readyAt: Int64 = 0
    /// Since when an answer is owed; nil where none is.
    private var owedSince: Int64?
    private var ticker: TimerHandle?
    private var retry: TimerHandle?
    private var deadline: TimerHandle?
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)

    init(
        name: String,
        loop: EventLoop,
        options: RedisOptions,
        isSubscriber: Bool = false,
        seed: UInt64,
        introduction: @escaping () -> [[String]] = { [] },
        events: Events
    ) {
        self.name = name
        self.loop = loop
        self.options = options
        self.isSubscriber = isSubscriber
        self.introduction = introduction
        self.events = events
        backoff = RedisBackoff(minMillis: options.backoffMillisMin, maxMillis: options.backoffMillisMax, seed: seed)
    }

    deinit { buffer.deallocate() }

    var isReady: Bool { state == .ready }

    /// Bytes not yet written.
    var outputBytes: Int { output.count - outputStart }

    /// Commands sent and not answered.
    var waitingCount: Int { unanswered.count - unansweredStart }

    // MARK: Life

    func start() {
        guard state == .stopped else { return }
        let beat = options.heartbeatMillis * 1_000_000
        ticker = loop.schedule(after: beat / 2, repeating: max(1_000_000, beat / 2)) { [weak self] in self?.tick() }
        connect()
    }

    /// Ends it; nothing is called afterwards.
    ///
    /// - Returns: the tags of unanswered commands, in order.
    @discardableResult
    func stop() -> [Tag] {
        let open = Array(unanswered[unansweredStart...])
        close()
        state = .stopped
        ticker?.cancel()
        retry?.cancel()
        // The owner's closures hold the owner, which holds this.
        events = Events(ready: {}, reply: { _, _ in }, lost: { _, _, _ in }, heartbeat: {})
        return open
    }

    /// Cuts the connection and comes back: for what the owner found wrong.
    func restart(_ cause: String) {
        guard state == .ready else { return }
        lose(cause)
    }

    private func connect() {
        state = .resolving
        attempt += 1
        deadline = loop.schedule(after: options.connectMillis * 1_000_000) { [weak self] in
            self?.lose("no connection within \(self?.options.connectMillis ?? 0) ms")
        }
        let handle = LoopBound(self)
        let mine = attempt
        RedisSocket.resolve(options.url.place) { [loop] found in
            _ = loop.execute { handle.object?.resolved(found, attempt: mine) }
        }
    }

    private func resolved(_ found: Result<[RedisSocket.Address], RedisSocket.Failure>, attempt: Int) {
        guard state == .resolving, attempt == self.attempt else { return }
        switch found {
        case .failure(let failure): lose(failure.text)
        case .success(let addresses):
            // Each attempt takes the next address of the host.
            guard !addresses.isEmpty else { return lose("the host has no address") }
            do throws(RedisSocket.Failure) {
                descriptor = try RedisSocket.connect(addresses[(attempt - 1) % addresses.count])
            } catch {
                return lose(error.text)
            }
            state = .connecting
            watch = DescriptorWatch(descriptor, on: loop) { [weak self] readable, writable in
                self?.descriptorReady(readable, writable)
            }
            watch?.wait(reading: false, writing: true)
        }
    }

    private func introduce() {
        state = .introducing
        introductions = []
        introductionReplies = []
        let url = options.url
        if !url.password.isEmpty || !url.user.isEmpty {
            say(url.user.isEmpty ? ["AUTH", url.password] : ["AUTH", url.user, url.password], required: true)
        }
        if url.database != 0 { say(["SELECT", String(url.database)], required: true) }
        let own = introduction()
        ownIntroductions = own.count
        for command in own { say(command, required: false) }
        // A server that loads its data, or wants a password, answers this with an error.
        say(["PING"], required: true)
        flush()
    }

    private func say(_ command: [String], required: Bool) {
        output.append(contentsOf: RedisCommand.text(command))
        introductions.append(required)
    }

    private func introduced() {
        deadline?.cancel()
        state = .ready
        readyAt = SystemClock.monotonicNanos()
        events.ready()
    }

    /// The answers to the introduction's own commands, in order; valid in `ready`.
    var introductionAnswers: [RedisReply] {
        Array(introductionReplies.dropLast().suffix(ownIntroductions))
    }

    private func lose(_ cause: String) {
        let wasReady = state == .ready
        guard state != .stopped, state != .waiting else { return }
        if wasReady, SystemClock.monotonicNanos() - readyAt > 1_000_000_000 { backoff.reset() }
        let open = Array(unanswered[unansweredStart...])
        close()
        state = .waiting
        retry = loop.schedule(after: backoff.next() * 1_000_000) { [weak self] in self?.connect() }
        events.lost(cause, wasReady, open)
    }

    private func close() {
        deadline?.cancel()
        watch?.close()
        watch = nil
        if descriptor >= 0 { RedisSocket.close(descriptor) }
        descriptor = -1
        parser = RedisParser()
        output.removeAll()
        outputStart = 0
        unanswered.removeAll()
        unansweredStart = 0
        owedSince = nil
    }

    // MARK: Output

    /// Appends one command to the output, which is written at the next `flush`.
    ///
    /// - Returns: false where the connection isn't ready.
    @discardableResult
    func send(_ tag: Tag?, _ write: (inout [UInt8]) -> Void) -> Bool {
        guard state == .ready else { return false }
        write(&output)
        if let tag { unanswered.append(tag) }
        if owedSince == nil { owedSince = SystemClock.monotonicNanos() }
        return true
    }

    /// Writes what the socket takes.
    func flush() {
        guard descriptor >= 0, state == .ready || state == .introducing else { return }
        while outputBytes > 0 {
            let step = output.withUnsafeBytes {
                RedisSocket.write(descriptor, UnsafeRawBufferPointer(rebasing: $0[outputStart...]))
            }
            switch step {
            case .bytes(let count): outputStart += count
            case .wait:
                watch?.wait(reading: true, writing: true)
                compactOutput()
                return
            case .failed(let cause): return lose(cause)
            }
        }
        output.removeAll(keepingCapacity: output.capacity <= 1 << 20)
        outputStart = 0
        watch?.wait(reading: true, writing: false)
    }

    private func compactOutput() {
        guard outputStart > 1 << 16, outputStart * 2 > output.count else { return }
        output.removeFirst(outputStart)
        outputStart = 0
    }

    // MARK: Input

    private func descriptorReady(_ readable: Bool, _ writable: Bool) {
        if state == .connecting {
            if let cause = RedisSocket.connectFailure(descriptor) { return lose(cause) }
            return introduce()
        }
        if writable { flush() }
        if readable { readAll() }
    }

    /// Reads at most a few buffers, so that a flood doesn't keep the loop from its other work.
    private func readAll() {
        for _ in 0..<8 {
            guard descriptor >= 0 else { return }
            switch RedisSocket.read(descriptor, buffer) {
            case .bytes(let count):
                if let cause = parser.feed(UnsafeRawBufferPointer(rebasing: buffer[..<count])) { return lose(cause) }
                guard takeReplies() else { return }
                if count < buffer.count { return }
            case .wait: return
            case .failed(let cause): return lose(cause)
            }
        }
    }

    /// - Returns: false where the connection ended on the way.
    private func takeReplies() -> Bool {
        let mine = attempt
        while descriptor >= 0, attempt == mine {
            switch parser.next() {
            case .incomplete:
                owedSince = waitingCount > 0 ? SystemClock.monotonicNanos() : nil
                if state == .ready { events.replied() }
                return descriptor >= 0 && attempt == mine
            case .broken(let cause):
                lose(cause)
                return false
            case .reply(let reply): take(reply)
            }
        }
        return false
    }

    private func take(_ reply: RedisReply) {
        guard state == .ready else { return takeIntroduction(reply) }
        if isSubscriber { return events.reply(nil, reply) }
        guard unansweredStart < unanswered.count else { return lose("protocol: an answer to nothing") }
        let tag = unanswered[unansweredStart]
        unansweredStart += 1
        if unansweredStart == unanswered.count {
            unanswered.removeAll(keepingCapacity: true)
            unansweredStart = 0
        } else if unansweredStart > 4_096, unansweredStart * 2 > unanswered.count {
            unanswered.removeFirst(unansweredStart)
            unansweredStart = 0
        }
        events.reply(tag, reply)
    }

    private func takeIntroduction(_ reply: RedisReply) {
        introductionReplies.append(reply)
        let index = introductionReplies.count - 1
        guard index < introductions.count else { return lose("protocol: an answer to nothing") }
        // Only the error's code: an unknown command's text repeats its arguments, the password among them.
        if introductions[index], let error = reply.errorText {
            return lose("introduction refused: \(RedisReply.code(of: error))")
        }
        if introductionReplies.count == introductions.count { introduced() }
    }

    // MARK: Death

    private func tick() {
        guard state == .ready else { return }
        if let owedSince, SystemClock.monotonicNanos() - owedSince > options.deadMillis * 1_000_000 {
            return lose("no answer within \(options.deadMillis) ms")
        }
        events.heartbeat()
        flush()
    }
}

/// A weak reference to something loop-bound, to be carried through another thread and used on the loop again.
final class LoopBound<Object: AnyObject>: @unchecked Sendable {
    // Unchecked: `object` is read on the loop thread only.
    private(set) weak var object: Object?

    init(_ object: Object) { self.object = object }
}
