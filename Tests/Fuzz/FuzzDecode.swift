internal import FeedProtocols
internal import MarketData

/// Decodes arbitrary bytes by both paths and holds them against each other.
///
/// A fresh decoder whose buffer is just as long as the frame, so that the address sanitizer sees a read beyond the
/// padding; twice in a row, because only a known symbol takes the fast path.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzDecode(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let frame = UnsafeRawBufferPointer(start: bytes, count: bytes == nil ? 0 : count)
    var fast = PolygonDecoder(frameLimit: count)
    var general = PolygonDecoder(frameLimit: count, usesFastPath: false)
    var symbols = SymbolTable(limit: 64)
    var fastBatch = DecodedBatch(capacity: 1)
    var generalBatch = DecodedBatch(capacity: 1)
    for _ in 0..<2 {
        general.decode(frame, symbols: &symbols, into: &generalBatch)
        fast.decode(frame, symbols: &symbols, into: &fastBatch)
    }
    precondition(fastBatch.count == generalBatch.count, "the paths give different numbers of events")
    for index in 0..<fastBatch.count {
        precondition(fastBatch[index] == generalBatch[index], "the paths give different events")
    }
    precondition(fastBatch.statuses == generalBatch.statuses, "the paths give different statuses")
    for reason in MalformedReason.allCases {
        precondition(fast.counters.malformed(reason) == general.counters.malformed(reason), "\(reason) differs")
    }
    for kind in EventKind.allCases {
        precondition(fast.counters.events(kind) == general.counters.events(kind), "\(kind) differs")
    }
    precondition(fast.counters.unknown == general.counters.unknown, "unknown differs")
    precondition(fast.counters.brokenFrames == general.counters.brokenFrames, "broken differs")
    return 0
}
