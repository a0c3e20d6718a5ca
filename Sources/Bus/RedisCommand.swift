internal import Primitives

/// The text of Redis commands, appended to a buffer (RESP2).
///
/// Written here and not by `redisFormatCommandArgv`: that allocates each command and its lengths, this appends to the
/// connection's output.
enum RedisCommand {
    /// Begins a command of `count` arguments, its name included.
    static func begin(_ count: Int, into out: inout [UInt8]) {
        out.append(UInt8(ascii: "*"))
        DecimalText.append(Int64(count), to: &out)
        out.append(contentsOf: [13, 10])
    }

    /// Appends an argument.
    static func add(_ bytes: [UInt8], into out: inout [UInt8]) {
        header(bytes.count, into: &out)
        out.append(contentsOf: bytes)
        out.append(contentsOf: [13, 10])
    }

    static func add(_ text: String, into out: inout [UInt8]) {
        header(text.utf8.count, into: &out)
        out.append(contentsOf: text.utf8)
        out.append(contentsOf: [13, 10])
    }

    static func add(_ number: Int64, into out: inout [UInt8]) {
        header(digits(number), into: &out)
        DecimalText.append(number, to: &out)
        out.append(contentsOf: [13, 10])
    }

    /// A whole command of texts.
    static func text(_ arguments: [String]) -> [UInt8] {
        var out: [UInt8] = []
        begin(arguments.count, into: &out)
        for argument in arguments { add(argument, into: &out) }
        return out
    }

    private static func header(_ count: Int, into out: inout [UInt8]) {
        out.append(UInt8(ascii: "$"))
        DecimalText.append(Int64(count), to: &out)
        out.append(contentsOf: [13, 10])
    }

    private static func digits(_ number: Int64) -> Int {
        var count = number < 0 ? 2 : 1
        var rest = number.magnitude / 10
        while rest > 0 {
            count += 1
            rest /= 10
        }
        return count
    }
}

/// The names of the keys (protocol.md 5).
enum RedisKey {
    static let want = "st:want"
    static let commands = "st:cmd"
    static let commandGroup = "engine"

    /// The log of each partition.
    static let logs = (0..<16).map { "st:{p\($0)}:log" }
    /// What a partition's hot states begin with; the channel follows.
    static let states = (0..<16).map { "st:{p\($0)}:state:" }

    static func live(_ channel: String) -> String { "st:\(channel)" }
    static func reply(_ command: String) -> String { "st:reply:\(command)" }
}
