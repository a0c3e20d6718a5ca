internal import Glibc
internal import MarketData
internal import Primitives
internal import Wire

/// What is wrong with a line, and where in it.
struct LineDamage: Error {
    var offset: Int
    var expected: String
}

/// Reads one line of a tape.
///
/// Our own layout, `{"t":…,"n":…,"src":"…","frame":[{…}]}`, is taken apart by comparing prefixes; any other order, white
/// space or kind goes the general way.
final class TapeLineParser {
    /// The bytes of a frame that stood as a JSON text, and room behind them.
    private var scratch = UnsafeMutableRawBufferPointer(start: nil, count: 0)

    deinit { scratch.deallocate() }

    /// - Throws: `LineDamage`.
    func parse(_ line: UnsafeRawBufferPointer) throws(LineDamage) -> TapeLine {
        var sealed = 0
        if let holds = LineSeal.check(line) {
            guard holds else {
                throw LineDamage(offset: line.count - LineSeal.count, expected: "\"crc\" with the line's checksum")
            }
            sealed = LineSeal.count
        }
        if let line = Self.ownFrame(line, sealed: sealed) { return line }
        let members = try TapeMembers(line)
        return try general(members, of: line)
    }

    // A frame that is an array of objects and the line's last member; what a line of ours with a frame of market
    // events looks like. Whatever else stands in the frame is the decoder's to judge.
    private static func ownFrame(_ line: UnsafeRawBufferPointer, sealed: Int) -> TapeLine? {
        var scan = PrefixScan(line)
        guard scan.skip(#"{"t":"#), let time = scan.integer() else { return nil }
        var n: Ordinal?
        if scan.skip(#","n":"#) {
            guard let value = scan.integer() else { return nil }
            n = value
        }
        guard scan.skip(#","src":""#), let source = scan.source(), scan.skip(#"","frame":[{"#) else { return nil }
        let start = scan.offset - 2
        // Without a seal the brace that closes the line stands where a seal would begin.
        let count = sealed > 0 ? line.count - sealed + 1 : line.count
        guard count - start >= 5, sealed > 0 || line[count - 1] == UInt8(ascii: "}"),
            line[count - 2] == UInt8(ascii: "]"), line[count - 3] == UInt8(ascii: "}")
        else { return nil }
        let frame = UnsafeRawBufferPointer(rebasing: line[start..<(count - 1)])
        return .frame(time: Instant(nanos: time), n: n, source: source, bytes: frame)
    }

    private func general(
        _ members: TapeMembers,
        of line: UnsafeRawBufferPointer
    ) throws(LineDamage) -> TapeLine {
        guard let timeValue = members.time, let nanos = Self.integer(line, timeValue) else {
            throw LineDamage(offset: members.time?.lowerBound ?? 0, expected: "\"t\" with a whole number of ns")
        }
        let time = Instant(nanos: nanos)
        var n: Ordinal?
        if let value = members.ordinal {
            guard let found = Self.integer(line, value), found > 0 else {
                throw LineDamage(offset: value.lowerBound, expected: "\"n\" with a whole number above 0")
            }
            n = found
        }
        guard let (kind, value) = members.body else {
            throw LineDamage(offset: 0, expected: "one of meta, frame, clock, cmd, feed, rest")
        }
        switch kind {
        case .frame:
            guard let name = members.source, let source = TapeFormat.source(named: Self.content(line, name)) else {
                throw LineDamage(offset: members.source?.lowerBound ?? 0, expected: "\"src\" with a known source")
            }
            return .frame(time: time, n: n, source: source, bytes: try frame(line, value))
        case .clock:
            guard Self.slice(line, value).elementsEqual("true".utf8) else {
                throw LineDamage(offset: value.lowerBound, expected: "\"clock\":true")
            }
            return .clock(time: time, n: n)
        case .rest: return try Self.rest(line, value, time: time, n: n)
        case .meta, .command, .feed:
            return try Self.control(kind, Self.json(line, value), at: value.lowerBound, time: time, n: n)
        }
    }

    private func frame(
        _ line: UnsafeRawBufferPointer,
        _ value: Range<Int>
    ) throws(LineDamage) -> UnsafeRawBufferPointer {
        guard line[value.lowerBound] == UInt8(ascii: "\"") else { return Self.slice(line, value) }
        var bytes: [UInt8] = []
        guard JSONScan.unescape(Self.slice(line, value), into: &bytes) else {
            throw LineDamage(offset: value.lowerBound, expected: "no lone surrogate")
        }
        scratch.deallocate()
        scratch = .allocate(byteCount: bytes.count + TapeReader.padding, alignment: 16)
        scratch.initializeMemory(as: UInt8.self, repeating: 0)
        scratch.copyBytes(from: bytes)
        return UnsafeRawBufferPointer(rebasing: scratch[..<bytes.count])
    }

    private static func rest(
        _ line: UnsafeRawBufferPointer,
        _ value: Range<Int>,
        time: Instant,
        n: Ordinal?
    ) throws(LineDamage) -> TapeLine {
        let text = slice(line, value)
        let members = try TapeMembers(text)
        guard let source = members.source, let url = members.url, let body = members.answer else {
            throw LineDamage(offset: value.lowerBound, expected: "\"rest\" with src, url and body")
        }
        let sourceText = try json(text, source).string ?? ""
        let urlText = try json(text, url).string ?? ""
        return .rest(time: time, n: n, source: sourceText, url: urlText, body: slice(text, body))
    }

    private static func control(
        _ kind: TapeMembers.Kind,
        _ body: JSONValue,
        at offset: Int,
        time: Instant,
        n: Ordinal?
    ) throws(LineDamage) -> TapeLine {
        switch kind {
        case .meta:
            guard let version = body["v"]?.integer, let epoch = body["ep"]?.string, let run = body["run"]?.string else {
                throw LineDamage(offset: offset, expected: "\"meta\" with v, ep and run")
            }
            guard version == TapeFormat.version else {
                throw LineDamage(offset: offset, expected: "tape version \(TapeFormat.version), not \(version)")
            }
            let config = body["config"] ?? .null
            return .meta(time: time, TapeMeta(version: version, epoch: epoch, run: run, config: config))
        case .command:
            guard let operation = body["op"]?.string.flatMap(Command.Operation.init(rawValue:)),
                let id = body["id"]?.string, let owner = body["owner"]?.string, let value = body["body"]
            else { throw LineDamage(offset: offset, expected: "\"cmd\" with op, id, owner and body") }
            var text: [UInt8] = []
            JSONText.append(value, to: &text)
            return .command(time: time, n: n, Command(operation: operation, id: id, owner: owner, body: text))
        default:
            guard let source = body["src"]?.string, let state = body["state"]?.string.flatMap(FeedState.init(rawValue:))
            else { throw LineDamage(offset: offset, expected: "\"feed\" with src and a state") }
            return .feed(time: time, n: n, source: source, state: state, cause: body["cause"]?.string ?? "")
        }
    }

    private static func json(_ line: UnsafeRawBufferPointer, _ value: Range<Int>) throws(LineDamage) -> JSONValue {
        do throws(JSONError) {
            return try JSONParser.parse(slice(line, value))
        } catch {
            throw LineDamage(offset: value.lowerBound + error.offset, expected: error.expected)
        }
    }

    static func slice(_ text: UnsafeRawBufferPointer, _ range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: text[range])
    }

    /// What stands between the quotes, or the whole of what isn't a text.
    private static func content(_ line: UnsafeRawBufferPointer, _ value: Range<Int>) -> UnsafeRawBufferPointer {
        guard line[value.lowerBound] == UInt8(ascii: "\"") else { return slice(line, value) }
        return slice(line, (value.lowerBound + 1)..<(value.upperBound - 1))
    }

    private static func integer(_ line: UnsafeRawBufferPointer, _ value: Range<Int>) -> Int64? {
        var scan = PrefixScan(content(line, value))
        guard let found = scan.integer(), scan.isAtEnd else { return nil }
        return found
    }
}

/// Compares and takes what stands at the front.
private struct PrefixScan {
    let text: UnsafeRawBufferPointer
    var offset = 0

    init(_ text: UnsafeRawBufferPointer) { self.text = text }

    var isAtEnd: Bool { offset == text.count }

    @inline(__always)
    mutating func skip(_ expected: StaticString) -> Bool {
        let count = expected.utf8CodeUnitCount
        guard text.count - offset >= count, let base = text.baseAddress,
            memcmp(base + offset, expected.utf8Start, count) == 0
        else { return false }
        offset += count
        return true
    }

    /// A whole number of at most 19 digits.
    mutating func integer() -> Int64? {
        let isNegative = offset < text.count && text[offset] == UInt8(ascii: "-")
        if isNegative { offset += 1 }
        let start = offset
        var value: Int64 = 0
        while offset < text.count {
            let digit = text[offset] &- UInt8(ascii: "0")
            guard digit < 10 else { break }
            let (times, over) = value.multipliedReportingOverflow(by: 10)
            let (sum, over2) = times.addingReportingOverflow(Int64(digit))
            guard !over, !over2 else { return nil }
            value = sum
            offset += 1
        }
        return offset > start ? (isNegative ? -value : value) : nil
    }

    mutating func source() -> FeedSource? {
        for (source, name) in TapeFormat.sourceNames where skip(name) {
            if offset < text.count, text[offset] == UInt8(ascii: "\"") { return source }
            offset -= name.utf8CodeUnitCount
        }
        return nil
    }
}

/// The members of a line, as ranges; of equal keys the last counts, unknown keys are passed over.
struct TapeMembers {
    enum Kind {
        case meta
        case frame
        case clock
        case command
        case feed
        case rest
    }

    var time: Range<Int>?
    var ordinal: Range<Int>?
    var source: Range<Int>?
    var url: Range<Int>?
    var answer: Range<Int>?
    var body: (kind: Kind, value: Range<Int>)?

    init(_ text: UnsafeRawBufferPointer) throws(LineDamage) {
        var offset = JSONScan.skipSpace(text, from: 0)
        guard offset < text.count, text[offset] == UInt8(ascii: "{") else {
            throw LineDamage(offset: offset, expected: "an object")
        }
        repeat {
            offset = JSONScan.skipSpace(text, from: offset + 1)
            guard offset < text.count, text[offset] == UInt8(ascii: "\""),
                let keyEnd = JSONScan.stringEnd(text, from: offset)
            else { throw LineDamage(offset: offset, expected: "a key") }
            let key = (offset + 1)..<(keyEnd - 1)
            offset = JSONScan.skipSpace(text, from: keyEnd)
            guard offset < text.count, text[offset] == UInt8(ascii: ":") else {
                throw LineDamage(offset: offset, expected: "a colon")
            }
            offset = JSONScan.skipSpace(text, from: offset + 1)
            guard let end = JSONScan.valueEnd(text, from: offset) else {
                throw LineDamage(offset: offset, expected: "a whole JSON value")
            }
            let name = String(decoding: TapeLineParser.slice(text, key), as: UTF8.self)
            try note(name, offset..<end)
            offset = JSONScan.skipSpace(text, from: end)
        } while offset < text.count && text[offset] == UInt8(ascii: ",")
        guard offset < text.count, text[offset] == UInt8(ascii: "}") else {
            throw LineDamage(offset: offset, expected: "a comma or a closing brace")
        }
        offset = JSONScan.skipSpace(text, from: offset + 1)
        guard offset == text.count else { throw LineDamage(offset: offset, expected: "the end of the line") }
    }

    private mutating func note(_ key: String, _ value: Range<Int>) throws(LineDamage) {
        switch key {
        case "t": time = value
        case "n": ordinal = value
        case "src": source = value
        case "url": url = value
        case "body": answer = value
        case "meta": try note(.meta, value)
        case "frame": try note(.frame, value)
        case "clock": try note(.clock, value)
        case "cmd": try note(.command, value)
        case "feed": try note(.feed, value)
        case "rest": try note(.rest, value)
        default: break
        }
    }

    private mutating func note(_ kind: Kind, _ value: Range<Int>) throws(LineDamage) {
        guard body == nil || body?.kind == kind else {
            throw LineDamage(offset: value.lowerBound, expected: "one kind of input a line")
        }
        body = (kind, value)
    }
}
