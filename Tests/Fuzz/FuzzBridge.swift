internal import FeedProtocols
internal import MarketData
internal import Primitives

/// Decodes arbitrary bytes as the bridge's frames, one a line, by two decoders: both see the same, whatever came before.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzBridge(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = UnsafeRawBufferPointer(start: bytes, count: bytes == nil ? 0 : count)
    var first = BridgeDecoder()
    var second = BridgeDecoder()
    var symbols = SymbolTable(limit: 64)
    var firstBatch = DecodedBatch(capacity: 1)
    var secondBatch = DecodedBatch(capacity: 1)
    var machine = BridgeConnection()
    let time = Instant(millis: 1_764_086_400_000)
    _ = machine.started(now: time)
    _ = machine.connected(attempt: 1, now: time)
    for line in input.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).prefix(64) {
        // A copy just as long, so that the address sanitizer sees a read behind its end.
        let frame = Array(line)
        frame.withUnsafeBytes { frame in
            first.decode(frame, symbols: &symbols, into: &firstBatch)
            second.decode(frame, symbols: &symbols, into: &secondBatch)
            _ = machine.frameReceived(frame, attempt: 1, now: time, random: 0)
        }
        let notices = first.takeNotices()
        precondition(notices == second.takeNotices(), "two decoders noticed different things")
    }
    precondition(firstBatch.count == secondBatch.count, "two decoders gave different numbers of events")
    for index in 0..<firstBatch.count {
        precondition(firstBatch[index] == secondBatch[index], "two decoders gave different events")
        guard case .quote(let quote) = firstBatch[index] else { continue }
        precondition(quote.bid.micros >= 0 && quote.ask.micros >= 0, "a quote below nothing")
        precondition(quote.bid.micros > 0 || quote.bidSize == .zero, "a size without a bid")
    }
    return 0
}
