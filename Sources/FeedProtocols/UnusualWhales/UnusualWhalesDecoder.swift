package import MarketData
package import Primitives

/// Decodes text frames of the flow feed: `["<channel>",{…}]`, or an array of objects for the one.
///
/// Option trades, flow alerts and halts become market events. Every other documented channel is read and checked in
/// full, and counted; `records` gives what it says. Channels without documentation are counted as they are: the tape
/// has their frames. A malformed object is counted and skipped; only a broken array ends a frame.
///
/// One decoder serves one connection. Feed loop thread only.
package struct UnusualWhalesDecoder: ~Copyable {
    /// What was met so far.
    package private(set) var counters = UnusualWhalesCounters()
    /// Longest frame looked at, in bytes.
    package let frameLimit: Int
    private var fields = NamedFields<UnusualWhalesField>()

    /// Makes a decoder for one connection.
    ///
    /// A longer frame than `frameLimit` is counted as oversized and not decoded; one with hundreds of trade ids has
    /// some tens of kilobytes.
    package init(frameLimit: Int = 16 << 20) { self.frameLimit = frameLimit }

    /// Decodes one whole text frame: appends its events to `batch`, interns new symbols.
    ///
    /// `received` stands in for the time of a halt that comes without one. The bytes are only read during the call.
    package mutating func decode(
        _ frame: UnsafeRawBufferPointer,
        symbols: inout SymbolTable,
        into batch: inout DecodedBatch,
        received: Instant? = nil
    ) {
        counters.frames &+= 1
        guard frame.count <= frameLimit else {
            counters.oversizedFrames &+= 1
            return
        }
        guard let envelope = UnusualWhalesEnvelope(frame) else {
            counters.brokenFrames &+= 1
            return
        }
        guard let kind = envelope.withChannel(frame, { UnusualWhalesChannelKind($0) }) else {
            counters.unknown &+= 1
            return
        }
        guard kind.isDocumented || kind == .tradingHalts else {
            counters.count(kind)
            return
        }
        var walk = UnusualWhalesWalk(frame, payload: envelope.payload)
        while true {
            switch walk.next(into: &fields) {
            case .object: take(kind, frame, envelope, received, &symbols, &batch)
            case .malformed: counters.count(kind, .syntax)
            case .end: return
            case .broken:
                counters.brokenFrames &+= 1
                return
            }
        }
    }

    private mutating func take(
        _ kind: UnusualWhalesChannelKind,
        _ frame: UnsafeRawBufferPointer,
        _ envelope: UnusualWhalesEnvelope,
        _ received: Instant?,
        _ symbols: inout SymbolTable,
        _ batch: inout DecodedBatch
    ) {
        let reader = FieldReader(bytes: frame, fields: fields)
        if reader.isAcknowledgement {
            counters.acknowledgements &+= 1
            return
        }
        do throws(MalformedReason) {
            switch kind {
            case .optionTrades: batch.append(try reader.tradeEvent(&symbols))
            case .flowAlerts: batch.append(try reader.alertEvent(&symbols))
            case .tradingHalts: batch.append(try reader.haltEvent(received, &symbols))
            default: _ = try reader.record(kind, hint: Self.ticker(envelope, frame))
            }
            counters.count(kind)
        } catch {
            counters.count(kind, error)
        }
    }

    /// The ticker behind the channel's colon.
    private static func ticker(_ envelope: UnusualWhalesEnvelope, _ frame: UnsafeRawBufferPointer) -> String? {
        envelope.withChannel(frame) { UnusualWhalesChannel($0)?.ticker }
    }

    /// What a frame says in full, its malformed objects left out; nothing is counted.
    package static func records(_ frame: UnsafeRawBufferPointer) -> [UnusualWhalesRecord] {
        guard let envelope = UnusualWhalesEnvelope(frame),
            let kind = envelope.withChannel(frame, { UnusualWhalesChannelKind($0) })
        else { return [] }
        let hint = ticker(envelope, frame)
        var fields = NamedFields<UnusualWhalesField>()
        var walk = UnusualWhalesWalk(frame, payload: envelope.payload)
        var records: [UnusualWhalesRecord] = []
        while true {
            switch walk.next(into: &fields) {
            case .object:
                let reader = FieldReader(bytes: frame, fields: fields)
                if reader.isAcknowledgement { continue }
                do throws(MalformedReason) {
                    if let record = try reader.record(kind, hint: hint) { records.append(record) }
                } catch {
                    continue
                }
            case .malformed: continue
            case .end, .broken: return records
            }
        }
    }
}

/// What the decoder met since it was made.
///
/// Counts only grow.
package struct UnusualWhalesCounters: Sendable {
    /// Frames given.
    package var frames: UInt64 = 0
    /// Frames that are no array of a channel and a payload, or broken within: what stood before the break was taken.
    package var brokenFrames: UInt64 = 0
    /// Frames above the decoder's limit, not looked at.
    package var oversizedFrames: UInt64 = 0
    /// Frames of channels that nobody knows.
    package var unknown: UInt64 = 0
    /// Acknowledgements of joins and leaves.
    package var acknowledgements: UInt64 = 0
    private var taken = InlineArray<16, UInt64>(repeating: 0)
    private var refused = InlineArray<16, UInt64>(repeating: 0)
    private var reasons = InlineArray<8, UInt64>(repeating: 0)

    package init() {}

    /// Objects taken of a documented channel and of `trading_halts`; frames of the others.
    package func taken(_ kind: UnusualWhalesChannelKind) -> UInt64 { taken[Int(kind.rawValue)] }

    /// Malformed objects of a channel.
    package func malformed(_ kind: UnusualWhalesChannelKind) -> UInt64 { refused[Int(kind.rawValue)] }

    /// Malformed objects for a reason.
    package func malformed(_ reason: MalformedReason) -> UInt64 { reasons[Int(reason.rawValue)] }

    /// All malformed objects.
    package var malformed: UInt64 { MalformedReason.allCases.reduce(0) { $0 + malformed($1) } }

    mutating func count(_ kind: UnusualWhalesChannelKind) { taken[Int(kind.rawValue)] &+= 1 }

    mutating func count(_ kind: UnusualWhalesChannelKind, _ reason: MalformedReason) {
        refused[Int(kind.rawValue)] &+= 1
        reasons[Int(reason.rawValue)] &+= 1
    }
}
