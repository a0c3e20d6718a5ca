package import Primitives

/// Fetches the flow alerts that a reconnect missed, newest first, page by page.
///
/// Pure: it says what to ask for, and makes of each answer the frames that the socket would have sent, so that the tape
/// and the decoder see no difference. Live frames go through `admit` too: an alert is given on once, by its id.
package struct UnusualWhalesBackfill: Sendable {
    /// A GET request; its header holds the token, so only the path is ever logged.
    package struct Request: Hashable, Sendable, CustomStringConvertible {
        /// Path and query.
        package let path: String
        package var description: String { "GET \(path)" }
    }

    /// What an answer held.
    package struct Page: Sendable {
        /// `["flow-alerts",{…}]`, oldest first.
        package var frames: [[UInt8]] = []
        /// Alerts that were known already.
        package var duplicates = 0
        /// Objects without an id, or broken: not given on.
        package var malformed = 0
        /// What to ask for next; nil when the gap is filled.
        package var next: Request?
        /// The page limit was reached: what is older stays missing.
        package var isCut = false
    }

    /// Alerts remembered at most.
    package static let windowSize = 16_384
    /// Alerts of one page.
    package static let pageSize = 200
    /// Pages of one gap at most: what is older stays missing, and is said.
    package static let pagesMax = 50
    /// How far before the gap is asked for, since an alert is sent some time after its prints, in nanoseconds.
    package static let overlap: Int64 = 60_000_000_000

    private var known: Set<UInt64> = []
    private var order: [UInt64] = []
    private var oldest = 0
    private var newerThan: Instant?
    private var pageCount = 0

    package init() {}

    /// Whether pages are still missing.
    package var isFilling: Bool { newerThan != nil }

    /// Remembers an alert by the hash of its id; false where it was known.
    ///
    /// Bounded: above `windowSize` the oldest is forgotten. Hash 0 (no id) is always new.
    package mutating func admit(_ idHash: UInt64) -> Bool {
        if idHash == 0 { return true }
        guard known.insert(idHash).inserted else { return false }
        if order.count < Self.windowSize {
            order.append(idHash)
        } else {
            known.remove(order[oldest])
            order[oldest] = idHash
            oldest = (oldest + 1) % Self.windowSize
        }
        return true
    }

    /// Whether a live frame should go on: false where all of its alerts were known already.
    ///
    /// Frames of other channels always do.
    package mutating func admit(frame: UnsafeRawBufferPointer) -> Bool {
        guard let envelope = UnusualWhalesEnvelope(frame),
            envelope.withChannel(frame, { UnusualWhalesChannelKind($0) }) == .flowAlerts
        else { return true }
        var fields = NamedFields<UnusualWhalesField>()
        var walk = UnusualWhalesWalk(frame, payload: envelope.payload)
        var hasNew = false
        while true {
            switch walk.next(into: &fields) {
            case .object:
                let id = (try? FieldReader(bytes: frame, fields: fields).hash(.id)) ?? 0
                if admit(id) { hasNew = true }
            // The decoder counts what is broken.
            case .malformed, .broken: return true
            case .end: return hasNew
            }
        }
    }

    /// Begins to fill the gap behind `after`; an unfinished one is widened.
    package mutating func begin(after: Instant) -> Request {
        let from = after.advanced(byNanos: -Self.overlap)
        let start = min(newerThan ?? from, from)
        newerThan = start
        pageCount = 0
        return Self.request(newerThan: start, olderThan: nil)
    }

    /// Gives the rest of a gap up: the provider refuses to answer.
    package mutating func abandon() { newerThan = nil }

    static func request(newerThan: Instant, olderThan: Instant?) -> Request {
        let older = olderThan.map { "&older_than=\(ISOTime.text($0))" } ?? ""
        return Request(
            path: "/api/option-trades/flow-alerts?limit=\(pageSize)&newer_than=\(ISOTime.text(newerThan))\(older)"
        )
    }

    /// Takes the body of an answer with status 200.
    ///
    /// - Returns: nil where it isn't what the provider documents; nothing changed then.
    package mutating func answered(_ body: UnsafeRawBufferPointer) -> Page? {
        guard let newerThan, var rows = Self.rows(body) else { return nil }
        var page = Page()
        var fields = NamedFields<UnusualWhalesField>()
        var oldestTime: Instant?
        var count = 0
        while true {
            let start = rows.start
            switch rows.walk.next(into: &fields) {
            case .object:
                count += 1
                let reader = FieldReader(bytes: body, fields: fields)
                if let time = try? reader.time(reader.first(.createdAt, .executedAt, .endTime) ?? .createdAt) {
                    oldestTime = min(oldestTime ?? time, time)
                }
                rows.start = rows.walk.place
                take(reader, Self.object(body, from: start, to: rows.start), &page)
            case .malformed:
                count += 1
                page.malformed += 1
                rows.start = rows.walk.place
            case .end, .broken:
                page.frames.reverse()
                pageCount += 1
                let isFull = count >= Self.pageSize
                if isFull, pageCount < Self.pagesMax, let oldestTime, oldestTime > newerThan {
                    page.next = Self.request(newerThan: newerThan, olderThan: oldestTime)
                } else {
                    page.isCut = isFull && pageCount >= Self.pagesMax
                    self.newerThan = nil
                }
                return page
            }
        }
    }

    private mutating func take(
        _ reader: FieldReader<UnusualWhalesField>,
        _ object: UnsafeRawBufferPointer,
        _ page: inout Page
    ) {
        guard let id = try? reader.hash(.id), id != 0 else {
            page.malformed += 1
            return
        }
        guard admit(id) else {
            page.duplicates += 1
            return
        }
        page.frames.append(Array(#"["flow-alerts","#.utf8) + Array(object) + [UInt8(ascii: "]")])
    }

    /// The object that ends at `end`: what stands between it and the last one is a comma, a bracket and space.
    private static func object(
        _ body: UnsafeRawBufferPointer,
        from start: Int,
        to end: Int
    ) -> UnsafeRawBufferPointer {
        var start = start
        while start < end, body[start] != UInt8(ascii: "{") { start += 1 }
        return UnsafeRawBufferPointer(rebasing: body[start..<end])
    }

    /// Finds the array under `data`, or the body itself where that is one.
    private static func rows(_ body: UnsafeRawBufferPointer) -> (walk: UnusualWhalesWalk, start: Int)? {
        var scan = GeneralScan(bytes: body, index: 0)
        scan.skipSpace()
        if scan.current == UInt8(ascii: "[") {
            return (UnusualWhalesWalk(body, payload: scan.index, isWhole: true), scan.index)
        }
        var fields = NamedFields<BackfillField>()
        guard fields.read(&scan), fields[.data].kind == .array else { return nil }
        let start = fields[.data].start
        let rows = UnsafeRawBufferPointer(rebasing: body[..<fields[.data].end])
        return (UnusualWhalesWalk(rows, payload: start, isWhole: true), start)
    }
}

/// The keys of an answer's outside.
enum BackfillField: Int, CaseIterable, FieldName {
    case data, error, message

    static let names = FieldNames<BackfillField>()
}
