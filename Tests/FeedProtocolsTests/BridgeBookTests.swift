import FeedProtocols
import Primitives
import Testing

@Suite struct BridgeBookTests {
    private static func change(
        _ operation: BridgeDepthChange.Operation,
        _ position: Int,
        _ price: Int64 = 0,
        isBid: Bool = true
    ) -> BridgeDepthChange {
        BridgeDepthChange(
            operation: operation,
            isBid: isBid,
            position: position,
            row: BridgeBook.Row(price: Price(micros: price), size: Size(shares: 1))
        )
    }

    private static func prices(_ book: BridgeBook) -> [Int64] { book.bids.map(\.price.micros) }

    @Test func insertsShiftDownAndDeletesShiftUp() {
        var book = BridgeBook()
        let changes = [
            Self.change(.insert, 0, 10), Self.change(.insert, 1, 8), Self.change(.insert, 1, 9),
            Self.change(.update, 2, 7), Self.change(.delete, 0), Self.change(.insert, 0, 11),
        ]
        let seen = changes.map { change in
            let isApplied = book.apply(change)
            return isApplied ? Self.prices(book) : []
        }
        #expect(seen == [[10], [10, 8], [10, 9, 8], [10, 9, 7], [9, 7], [11, 9, 7]])
        #expect(book.asks.isEmpty)
    }

    @Test(arguments: [(0, 1), (1, 0), (2, 0), (0, 10), (1, 1_000)] as [(UInt8, Int)])
    func aPositionOutsideIsRefusedAndChangesNothing(operation: UInt8, position: Int) throws {
        var book = BridgeBook()
        let operation = try #require(BridgeDepthChange.Operation(rawValue: operation))
        let isApplied = book.apply(Self.change(operation, position, 1))
        #expect(!isApplied && book == BridgeBook())
    }

    @Test func aFullSideDropsItsLastRow() {
        let rows = (0..<20).map { BridgeBook.Row(price: Price(micros: 100 - $0), size: Size(shares: 1)) }
        var book = BridgeBook(bids: rows, asks: [])
        #expect(book.bids.count == BridgeBook.rowsMax)
        let isApplied = book.apply(Self.change(.insert, 0, 101))
        #expect(isApplied && book.bids.count == BridgeBook.rowsMax && book.bids.first?.price.micros == 101)
    }

    /// Random operations against a plain list.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func equalsAPlainList(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var book = BridgeBook()
        var list: [Int64] = []
        for step in 0..<500 {
            let position = Int(random.next() % 12)
            let price = Int64(random.next() % 1_000)
            let operation = BridgeDepthChange.Operation(rawValue: UInt8(random.next() % 3)) ?? .insert
            let isInside = operation == .insert ? position <= list.count && position < 10 : position < list.count
            let isApplied = book.apply(Self.change(operation, position, price))
            #expect(isApplied == isInside, "seed \(seed) step \(step)")
            guard isInside else { continue }
            switch operation {
            case .insert: list = Array((list[..<position] + [price] + list[position...]).prefix(10))
            case .update: list[position] = price
            case .delete: list.remove(at: position)
            }
            #expect(Self.prices(book) == list, "seed \(seed) step \(step)")
        }
    }
}
