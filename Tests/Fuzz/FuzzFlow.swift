internal import FeedProtocols
internal import MarketData
internal import Primitives

/// Decodes arbitrary bytes as a frame of the flow feed, twice, and gives them to all that reads such frames.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzFlow(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let frame = UnsafeRawBufferPointer(start: bytes, count: bytes == nil ? 0 : count)
    var decoder = UnusualWhalesDecoder()
    var symbols = SymbolTable(limit: 64)
    var batch = DecodedBatch(capacity: 1)
    let time = Instant(millis: 1_764_086_400_000)
    decoder.decode(frame, symbols: &symbols, into: &batch, received: time)
    let once = batch.count
    decoder.decode(frame, symbols: &symbols, into: &batch, received: time)
    precondition(batch.count == 2 * once, "the same frame gave another number of events")
    for index in 0..<once { precondition(batch[index] == batch[once + index], "the same frame gave other events") }
    let kinds: [UnusualWhalesChannelKind] = [.optionTrades, .flowAlerts, .tradingHalts]
    let taken = kinds.reduce(0) { $0 + decoder.counters.taken($1) }
    precondition(taken == UInt64(batch.count), "an event that wasn't counted, or the reverse")
    _ = UnusualWhalesDecoder.records(frame)

    var filter = UnusualWhalesFilter(
        channels: Set(["option_trades", "flow-alerts"].compactMap { UnusualWhalesChannel($0) }),
        tickers: ["SPY"]
    )
    let isPassed = filter.passes(frame)
    precondition(
        filter.passed == (isPassed ? 1 : 0) && filter.dropped == (isPassed ? 0 : 1),
        "a frame was lost count of"
    )
    var backfill = UnusualWhalesBackfill()
    _ = backfill.admit(frame: frame)
    _ = backfill.begin(after: time)
    if let page = backfill.answered(frame) {
        for made in page.frames { made.withUnsafeBytes { decoder.decode($0, symbols: &symbols, into: &batch) } }
        precondition(decoder.counters.brokenFrames <= 2, "a frame made of an answer is broken")
    }
    var machine = UnusualWhalesConnection(token: UnusualWhalesToken("tok"))
    _ = machine.channelsChanged(to: Set(["option_trades"].compactMap { UnusualWhalesChannel($0) }), now: time)
    _ = machine.started(now: time)
    _ = machine.connected(attempt: 1, now: time)
    _ = machine.frameReceived(frame, attempt: 1, now: time)
    return 0
}
