package import MarketData

/// Decodes text frames of the stocks, options and indices feeds into market events.
///
/// One pass over a padded copy of the frame. An event in the plain form the provider writes is read by the fast path
/// (`FastFields`), in any order of keys; all else falls, event by event, to the general path (`GeneralScan`,
/// `GeneralBuild`), which is complete and alone says what is malformed. Both give the same event where both can.
///
/// A malformed event is counted and skipped; only a broken array ends a frame. One decoder serves one connection, so
/// its counters are that connection's. Feed loop thread only; allocates nothing once its buffer has grown, but for
/// statuses, first sights of a symbol, and texts with escapes.
package struct PolygonDecoder: ~Copyable {
    /// What was met so far.
    package private(set) var counters = DecodeCounters()
    /// Longest frame looked at, in bytes.
    package let frameLimit: Int
    private var buffer: UnsafeMutableRawPointer
    private var capacity: Int
    private var fields = FieldTable()
    /// Tests and fuzzers switch it off to compare.
    private let usesFastPath: Bool

    /// Zero bytes behind the frame: more than the farthest load of the fast path beyond the place it stands at.
    static let padding = 64

    /// Makes a decoder for one connection.
    ///
    /// - Parameters:
    ///   - frameLimit: a longer frame is counted as oversized and not decoded.
    ///   - usesFastPath: false gives the same events, slowly; for tests.
    package init(frameLimit: Int = 16 << 20, usesFastPath: Bool = true) {
        self.frameLimit = frameLimit
        self.usesFastPath = usesFastPath
        capacity = min(64 << 10, frameLimit)
        buffer = .allocate(byteCount: capacity + Self.padding, alignment: 64)
    }

    deinit { buffer.deallocate() }

    /// Decodes one whole text frame: appends its events and statuses to `batch`, interns new symbols.
    ///
    /// The bytes are only read during the call, and need no padding.
    package mutating func decode(
        _ frame: UnsafeRawBufferPointer,
        symbols: inout SymbolTable,
        into batch: inout DecodedBatch
    ) {
        counters.frames &+= 1
        guard frame.count <= frameLimit else {
            counters.oversizedFrames &+= 1
            return
        }
        if frame.count > capacity { grow(to: frame.count) }
        if let base = frame.baseAddress { buffer.copyMemory(from: base, byteCount: frame.count) }
        (buffer + frame.count).initializeMemory(as: UInt8.self, repeating: 0, count: Self.padding)
        if !decodeArray(count: frame.count, &symbols, &batch) { counters.brokenFrames &+= 1 }
    }

    @inline(never)
    private mutating func grow(to count: Int) {
        buffer.deallocate()
        capacity = max(capacity * 2, count)
        buffer = .allocate(byteCount: capacity + Self.padding, alignment: 64)
    }

    /// Decodes the elements; false where the array is broken.
    private mutating func decodeArray(
        count: Int,
        _ symbols: inout SymbolTable,
        _ batch: inout DecodedBatch
    ) -> Bool {
        var scan = GeneralScan(bytes: UnsafeRawBufferPointer(start: buffer, count: count), index: 0)
        scan.skipSpace()
        // A single object without its array is tolerated.
        let isArray = scan.pass(UInt8(ascii: "["))
        if isArray {
            scan.skipSpace()
            if scan.pass(UInt8(ascii: "]")) { return atEnd(&scan) }
        } else if scan.current != UInt8(ascii: "{") {
            return false
        }
        while true {
            guard decodeElement(&scan, &symbols, &batch) else { return false }
            if isArray, scan.pass(UInt8(ascii: ",")) { continue }
            scan.skipSpace()
            guard isArray else { return atEnd(&scan) }
            if scan.pass(UInt8(ascii: "]")) { return atEnd(&scan) }
            guard scan.pass(UInt8(ascii: ",")) else { return false }
        }
    }

    private func atEnd(_ scan: inout GeneralScan) -> Bool {
        scan.skipSpace()
        return scan.index == scan.bytes.count
    }

    /// Decodes one element; false where the frame ends within it.
    @inline(__always)
    private mutating func decodeElement(
        _ scan: inout GeneralScan,
        _ symbols: inout SymbolTable,
        _ batch: inout DecodedBatch
    ) -> Bool {
        let start = Place(buffer) + scan.index
        if usesFastPath, let end = decodeFast(start, symbols, &batch) {
            scan.index = end - Place(buffer)
            return true
        }
        return decodeGeneral(&scan, &symbols, &batch)
    }

    // MARK: Fast path

    /// Decodes a plainly written event; nil, and nothing done, where it isn't one.
    ///
    /// One function a kind, each small enough for the optimiser to inline all its readers.
    @inline(__always)
    private mutating func decodeFast(
        _ start: Place,
        _ symbols: borrowing SymbolTable,
        _ batch: inout DecodedBatch
    ) -> Place? {
        let head = FastScan.load(start)
        // {"ev":"
        guard head & 0x00FF_FFFF_FFFF_FFFF == 0x0022_3A22_7665_227B else { return nil }
        var place = start + 8
        switch UInt8(truncatingIfNeeded: head >> 56) {
        case UInt8(ascii: "Q"):
            var quote = FastQuote()
            guard quote.read(&place), quote.append(symbols, &batch) else { return nil }
            counters.count(.quote)
        case UInt8(ascii: "T"):
            var trade = FastTrade()
            guard trade.read(&place), trade.append(symbols, &batch) else { return nil }
            counters.count(.trade)
        case UInt8(ascii: "A"):
            var bar = FastBar()
            let isMinute = FastScan.byte(place) == UInt8(ascii: "M")
            if isMinute { place += 1 }
            bar.seconds = isMinute ? 60 : 1
            guard bar.read(&place), bar.append(symbols, &batch) else { return nil }
            counters.count(isMinute ? .minuteBar : .secondBar)
        default: return nil
        }
        return place
    }

    // MARK: General path

    /// Decodes or refuses one element of any form; false where the frame ends within it.
    @inline(never)
    private mutating func decodeGeneral(
        _ scan: inout GeneralScan,
        _ symbols: inout SymbolTable,
        _ batch: inout DecodedBatch
    ) -> Bool {
        scan.skipSpace()
        let start = scan.index
        guard scan.readObject(into: &fields) else {
            counters.count(.none, .syntax)
            scan.index = start
            return scan.skipBroken()
        }
        let build = GeneralBuild(bytes: scan.bytes, fields: fields)
        let code: [UInt8]
        do {
            guard let text = try build.text(.ev, limit: 16) else { throw MalformedReason.missing }
            code = text
        } catch {
            counters.count(.none, error as? MalformedReason ?? .type)
            return true
        }
        guard let kind = code.withUnsafeBytes({ EventKind($0) }) else {
            counters.unknown &+= 1
            return true
        }
        do throws(MalformedReason) {
            if kind == .status {
                batch.statuses.append(try build.status())
            } else {
                batch.append(try build.event(kind, symbols: &symbols))
                counters.general &+= 1
            }
            counters.count(kind)
        } catch {
            counters.count(kind, error)
        }
        return true
    }
}
