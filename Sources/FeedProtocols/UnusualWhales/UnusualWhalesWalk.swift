/// The outside of a frame: `["<channel>",` and where the payload begins.
struct UnusualWhalesEnvelope {
    /// The channel's text, without quotes.
    let channel: FieldValue
    /// Where the payload's first byte stands.
    let payload: Int

    /// Looks at the first few bytes only; nil where the frame doesn't begin like one.
    init?(_ frame: UnsafeRawBufferPointer) {
        var scan = GeneralScan(bytes: frame, index: 0)
        scan.skipSpace()
        guard scan.pass(UInt8(ascii: "[")) else { return nil }
        scan.skipSpace()
        guard let channel = scan.readText() else { return nil }
        scan.skipSpace()
        guard scan.pass(UInt8(ascii: ",")) else { return nil }
        scan.skipSpace()
        self.channel = channel
        payload = scan.index
    }

    /// Gives the channel's text to `body`, escapes replaced.
    func withChannel<Result>(_ frame: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let raw = UnsafeRawBufferPointer(rebasing: frame[channel.start..<channel.end])
        guard channel.kind == .escapedText else { return body(raw) }
        var decoded: [UInt8] = []
        _ = JSONText.decode(raw, into: &decoded, limit: 64)
        return decoded.withUnsafeBytes(body)
    }
}

/// Goes through the objects of a frame's payload, which is one object or an array of them.
struct UnusualWhalesWalk {
    enum Step: Equatable {
        /// An object was read.
        case object
        /// Something else stood there.
        case malformed
        /// The frame ended as it should.
        case end
        /// The frame ended before it should, or goes on behind its end.
        case broken
    }

    private enum Stage { case payload, elements, finished }

    private var scan: GeneralScan
    private var stage: Stage
    private var isArray = false
    private let isWhole: Bool

    /// Begins at the payload's first byte; `isWhole` where nothing encloses it and its end is the bytes' end.
    init(_ frame: UnsafeRawBufferPointer, payload: Int, isWhole: Bool = false) {
        scan = GeneralScan(bytes: frame, index: payload)
        stage = .payload
        self.isWhole = isWhole
    }

    /// Where it stands: behind the object that was read last.
    var place: Int { min(scan.index, scan.bytes.count) }

    /// Reads the next object into `fields`.
    mutating func next(into fields: inout NamedFields<UnusualWhalesField>) -> Step {
        switch stage {
        case .finished: return .end
        case .payload:
            isArray = scan.pass(UInt8(ascii: "["))
            stage = .elements
            if isArray {
                scan.skipSpace()
                if scan.pass(UInt8(ascii: "]")) { return finish() }
            }
            return element(into: &fields)
        case .elements:
            scan.skipSpace()
            guard isArray else { return finish() }
            if scan.pass(UInt8(ascii: "]")) { return finish() }
            guard scan.pass(UInt8(ascii: ",")) else { return broken() }
            scan.skipSpace()
            return element(into: &fields)
        }
    }

    private mutating func element(into fields: inout NamedFields<UnusualWhalesField>) -> Step {
        let start = scan.index
        if fields.read(&scan) { return .object }
        scan.index = start
        if !scan.skipBroken() { stage = .finished }
        // A frame that ends within the element is told once: as that element.
        return .malformed
    }

    /// Passes what may stand behind the payload, and the frame's end.
    private mutating func finish() -> Step {
        stage = .finished
        scan.skipSpace()
        while !isWhole, scan.pass(UInt8(ascii: ",")) {
            scan.skipSpace()
            guard scan.readValue(depth: 1) != nil else { return .broken }
            scan.skipSpace()
        }
        guard isWhole || scan.pass(UInt8(ascii: "]")) else { return .broken }
        scan.skipSpace()
        return scan.index == scan.bytes.count ? .end : .broken
    }

    private mutating func broken() -> Step {
        stage = .finished
        return .broken
    }
}
