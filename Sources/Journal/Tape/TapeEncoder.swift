internal import Glibc
internal import MarketData
internal import Primitives
internal import Wire

/// Inputs as they came, until the storage thread makes lines of them: one fixed head and the payload each.
struct TapeInputs {
    /// What stands before each payload.
    struct Head: BitwiseCopyable {
        enum Kind: UInt8 {
            case meta
            case frame
            case clock
            case command
            case feed
            case rest
        }

        /// Raw value of the kind.
        var kind: UInt8
        /// Raw value of a frame's source.
        var source: UInt8
        var payload: Int32
        var n: Ordinal
        var time: Int64

        /// Of a meta line, which no thread appends: a new segment's first.
        init(meta payload: Int, time: Instant) {
            self.init(kind: .meta, source: .stocks, payload: payload, n: 0, time: time)
        }

        init(kind: Kind, source: FeedSource, payload: Int, n: Ordinal, time: Instant) {
            self.kind = kind.rawValue
            self.source = source.rawValue
            self.payload = Int32(payload)
            self.n = n
            self.time = time.nanos
        }
    }

    private(set) var bytes: [UInt8] = []
    /// Where the first input is that isn't a line yet.
    private var next = 0

    /// Bytes waiting.
    var size: Int { bytes.count }

    @inline(__always)
    mutating func append(
        _ kind: Head.Kind,
        source: FeedSource = .stocks,
        n: Ordinal,
        time: Instant,
        payload: UnsafeRawBufferPointer
    ) {
        let head = Head(kind: kind, source: source, payload: payload.count, n: n, time: time)
        withUnsafeBytes(of: head) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: payload)
    }

    /// What the next input is; nil when none is left.
    var nextHead: Head? {
        guard next < bytes.count else { return nil }
        return bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: next, as: Head.self) }
    }

    /// Makes lines of the next inputs until `limit` bytes of text are there, or the next one belongs in a new segment.
    ///
    /// - Returns: how many lines; 0 when none is left, or the pace wants a new segment first.
    mutating func encode(into text: inout [UInt8], limit: Int, pace: inout TapePace) -> Int64 {
        var lines: Int64 = 0
        bytes.withUnsafeBytes { all in
            while next < all.count, text.count < limit {
                let head = all.loadUnaligned(fromByteOffset: next, as: Head.self)
                if pace.isDue(head, behind: text.count) { return }
                pace.note(head)
                next += MemoryLayout<Head>.size
                let end = next + Int(head.payload)
                TapeEncoder.append(head, UnsafeRawBufferPointer(rebasing: all[next..<end]), to: &text)
                next = end
                lines += 1
            }
        }
        return lines
    }

    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        next = 0
    }
}

/// Makes lines of inputs.
enum TapeEncoder {
    static func append(_ head: TapeInputs.Head, _ payload: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        guard let kind = TapeInputs.Head.Kind(rawValue: head.kind), let source = FeedSource(rawValue: head.source)
        else {
            preconditionFailure("input of kind \(head.kind), source \(head.source)")
        }
        let lineStart = out.count
        out.append(contentsOf: #"{"t":"#.utf8)
        DecimalText.append(head.time, to: &out)
        // A recording without an engine has no ordinals (0): its lines are numbered when they are replayed.
        if kind != .meta, head.n > 0 {
            out.append(contentsOf: #","n":"#.utf8)
            DecimalText.append(head.n, to: &out)
        }
        switch kind {
        case .meta: out.append(contentsOf: #","meta":"#.utf8)
        case .clock: out.append(contentsOf: #","clock":true"#.utf8)
        case .command: out.append(contentsOf: #","cmd":"#.utf8)
        case .feed: out.append(contentsOf: #","feed":"#.utf8)
        case .rest: out.append(contentsOf: #","rest":"#.utf8)
        case .frame:
            out.append(contentsOf: #","src":""#.utf8)
            source.tapeText.withUTF8Buffer { out.append(contentsOf: $0) }
            out.append(contentsOf: #"","frame":"#.utf8)
        }
        if kind == .frame, !isEmbeddable(payload) {
            appendText(payload, to: &out)
        } else {
            out.append(contentsOf: payload)
        }
        LineSeal.append(to: &out, lineStart: lineStart)
    }

    /// The payload of a command line.
    static func command(_ command: Command) -> [UInt8] {
        var out: [UInt8] = []
        var object = JSONObject(&out)
        object.field("op", command.operation.rawValue, to: &out)
        object.field("id", command.id, to: &out)
        object.field("owner", command.owner, to: &out)
        object.key("body", to: &out)
        out.append(contentsOf: oneLine(command.body) ?? Array("null".utf8))
        object.end(&out)
        return out
    }

    /// The payload of a line that tells a state.
    static func feed(_ source: String, _ state: FeedState, _ cause: String) -> [UInt8] {
        var out: [UInt8] = []
        var object = JSONObject(&out)
        object.field("src", source, to: &out)
        object.field("state", state.rawValue, to: &out)
        object.field("cause", cause, to: &out)
        object.end(&out)
        return out
    }

    /// The payload of a line with an answer; a body that isn't JSON stands as a text.
    static func rest(_ source: String, _ url: String, _ body: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var object = JSONObject(&out)
        object.field("src", source, to: &out)
        object.field("url", url, to: &out)
        object.key("body", to: &out)
        if let line = oneLine(body) {
            out.append(contentsOf: line)
        } else {
            body.withUnsafeBytes { appendText($0, to: &out) }
        }
        object.end(&out)
        return out
    }

    /// The payload of the first line.
    static func meta(_ meta: TapeMeta) -> [UInt8] {
        var out: [UInt8] = []
        var object = JSONObject(&out)
        object.field("v", meta.version, to: &out)
        object.field("ep", meta.epoch, to: &out)
        object.field("run", meta.run, to: &out)
        object.field("config", meta.config, to: &out)
        object.end(&out)
        return out
    }

    /// An array or object without a line feed that fills the frame: it can stand in a line as it is, and be found
    /// again byte for byte. (A frame that is itself a JSON text can't: as `frame` a text means escaped bytes.)
    private static func isEmbeddable(_ frame: UnsafeRawBufferPointer) -> Bool {
        guard let first = frame.first, first == UInt8(ascii: "[") || first == UInt8(ascii: "{"),
            let base = frame.baseAddress, memchr(base, Int32(UInt8(ascii: "\n")), frame.count) == nil
        else { return false }
        return JSONScan.valueEnd(frame, from: 0) == frame.count
    }

    /// JSON that stands on one line, nil for what isn't JSON.
    ///
    /// In JSON a line break only ever stands between tokens, where a space says the same.
    private static func oneLine(_ text: [UInt8]) -> [UInt8]? {
        let isWhole = text.withUnsafeBytes { bytes in
            JSONScan.valueEnd(bytes, from: 0).map { JSONScan.skipSpace(bytes, from: $0) == bytes.count } ?? false
        }
        guard isWhole else { return nil }
        return text.contains { $0 < 0x20 } ? text.map { $0 < 0x20 ? 0x20 : $0 } : text
    }

    private static func appendText(_ bytes: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        let digits: StaticString = "0123456789abcdef"
        out.append(UInt8(ascii: "\""))
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                out.append(UInt8(ascii: "\\"))
                out.append(byte)
            case 0..<0x20:
                out.append(contentsOf: #"\u00"#.utf8)
                out.append(digits.utf8Start[Int(byte >> 4)])
                out.append(digits.utf8Start[Int(byte & 15)])
            default: out.append(byte)
            }
        }
        out.append(UInt8(ascii: "\""))
    }
}
