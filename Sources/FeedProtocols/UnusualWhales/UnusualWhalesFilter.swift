/// Says which raw frames are worth decoding: asked before a frame is queued, so that a flood of others doesn't push the
/// wanted ones out (feeds.md 3.3, trap 4).
///
/// Reads the channel, and for a channel of the whole market the payload's ticker, without decoding. What it can't tell
/// passes: the decoder counts that. Feed loop thread only.
package struct UnusualWhalesFilter: Sendable {
    /// Frames let through.
    package private(set) var passed: UInt64 = 0
    /// Frames of channels nobody wants, or of other tickers.
    package private(set) var dropped: UInt64 = 0
    private var channels: Set<UInt64> = []
    private var tickers: Set<UInt64>?

    /// Takes what is wanted.
    ///
    /// `tickers` narrows the channels of the whole market to these; nil takes all tickers. Roots count as they are:
    /// who wants SPX wants SPXW too, and says so.
    package init(channels: Set<UnusualWhalesChannel>, tickers: Set<String>? = nil) {
        want(channels, tickers: tickers)
    }

    /// Changes what is wanted; the counts stay.
    package mutating func want(_ channels: Set<UnusualWhalesChannel>, tickers: Set<String>?) {
        self.channels = Set(channels.map { Self.hash($0.description.utf8) })
        self.tickers = tickers.map { Set($0.map { Self.hash($0.utf8) }) }
    }

    private static func hash(_ text: some Sequence<UInt8>) -> UInt64 { text.reduce(FNV.offset) { FNV.mixed($0, $1) } }

    /// Whether the frame should go on.
    package mutating func passes(_ frame: UnsafeRawBufferPointer) -> Bool {
        let isWanted = isWanted(frame)
        if isWanted {
            passed &+= 1
        } else {
            dropped &+= 1
        }
        return isWanted
    }

    private func isWanted(_ frame: UnsafeRawBufferPointer) -> Bool {
        guard let envelope = UnusualWhalesEnvelope(frame) else { return true }
        let (name, kind) = envelope.withChannel(frame) { (Self.hash($0), UnusualWhalesChannelKind($0)) }
        guard let kind else { return true }
        guard channels.contains(name) else { return false }
        guard let tickers, let key = Self.tickerKey(kind),
            !envelope.withChannel(frame, { $0.contains(UInt8(ascii: ":")) })
        else { return true }
        return isOfTicker(frame, from: envelope.payload, key, tickers)
    }

    /// Where the payload of a channel of the whole market names its ticker; nil where all of it is wanted.
    private static func tickerKey(_ kind: UnusualWhalesChannelKind) -> StaticString? {
        switch kind {
        case .optionTrades: "\"underlying_symbol\""
        case .flowAlerts: "\"ticker\""
        case .litTrades, .offLitTrades: "\"symbol\""
        // Halts are few, and one in an instrument that is held must not depend on a key's name.
        case .tradingHalts, .price, .gex, .news, .marketTide, .netFlow, .intervalFlow, .customAlerts,
            .contractScreener, .periscope, .gexStrike, .gexStrikeExpiry:
            nil
        }
    }

    /// Whether some object names a wanted ticker, or none can be read.
    private func isOfTicker(
        _ frame: UnsafeRawBufferPointer,
        from start: Int,
        _ key: StaticString,
        _ tickers: Set<UInt64>
    ) -> Bool {
        let isArray = start < frame.count && frame[start] == UInt8(ascii: "[")
        var isUnread = true
        var index = start
        while let place = Self.find(key, in: frame, from: index) {
            index = place + key.utf8CodeUnitCount
            var scan = GeneralScan(bytes: frame, index: index)
            scan.skipSpace()
            guard scan.pass(UInt8(ascii: ":")) else { continue }
            scan.skipSpace()
            guard let value = scan.readText(), value.kind == .text else { return true }
            isUnread = false
            if tickers.contains(Self.hash(frame[value.start..<value.end])) { return true }
            // One event a frame: the first name decides, and the hundreds of ids behind it aren't looked at.
            if !isArray { return false }
        }
        return isUnread
    }

    private static func find(_ key: StaticString, in frame: UnsafeRawBufferPointer, from start: Int) -> Int? {
        key.withUTF8Buffer { key in
            var index = start
            let last = frame.count - key.count
            while index <= last {
                if frame[index] == key[0], frame[(index + 1)..<(index + key.count)].elementsEqual(key[1...]) {
                    return index
                }
                index += 1
            }
            return nil
        }
    }
}
