internal import Primitives

/// The first rows of a made-up order book around the model's NBBO, and the operations that lead from one to the next.
///
/// The best row is the NBBO's; the sizes behind it depend on the price alone, so that a row changes only for a reason.
struct BridgeBook: Equatable, Sendable {
    struct Row: Equatable, Sendable {
        var price: Price
        var size: Int64
        var maker: String
    }

    struct Operation: Equatable, Sendable {
        var kind: Character
        var isBid: Bool
        var position: Int
        /// nil for a deletion.
        var row: Row?
    }

    private static let makers = ["ARCA", "NSDQ", "BATS", "EDGX", "IEX", "MEMX"]

    var bids: [Row] = []
    var asks: [Row] = []

    init() {}

    /// The book of a quote with so many rows a side.
    init(_ quote: ModelQuote, rows: Int) {
        let tick: Int64 = 10_000
        for level in 0..<Int64(rows) {
            if quote.bid.micros > level * tick {
                bids.append(Self.row(quote.bid.micros - level * tick, level == 0 ? quote.bidSize : nil))
            }
            if quote.ask.micros > 0 {
                asks.append(Self.row(quote.ask.micros + level * tick, level == 0 ? quote.askSize : nil))
            }
        }
    }

    private static func row(_ micros: Int64, _ size: Int32?) -> Row {
        var random = ModelRandom(seed: UInt64(bitPattern: micros))
        let drawn = 100 * (1 + Int64(random.below(20)))
        return Row(
            price: Price(micros: micros),
            size: size.map(Int64.init) ?? drawn,
            maker: makers[random.below(makers.count)]
        )
    }

    /// Operations that make `next` of this one, each applied to the rows as the ones before left them.
    func operations(to next: BridgeBook, rows: Int) -> [Operation] {
        Self.side(bids, next.bids, rows, isBid: true) + Self.side(asks, next.asks, rows, isBid: false)
    }

    private static func side(_ old: [Row], _ new: [Row], _ rows: Int, isBid: Bool) -> [Operation] {
        var current = old
        var out: [Operation] = []
        // Deletions from below, then insertions from above: positions stay those of the moment.
        for place in current.indices.reversed() where !new.contains(where: { $0.price == current[place].price }) {
            current.remove(at: place)
            out.append(Operation(kind: "d", isBid: isBid, position: place, row: nil))
        }
        for (place, row) in new.enumerated() {
            if place < current.count, current[place].price == row.price {
                guard current[place] != row else { continue }
                current[place] = row
                out.append(Operation(kind: "u", isBid: isBid, position: place, row: row))
            } else {
                current.insert(row, at: place)
                out.append(Operation(kind: "i", isBid: isBid, position: place, row: row))
            }
        }
        return out
    }

    /// Applies an operation as a reader does; false where its position isn't there.
    mutating func apply(_ operation: Operation) -> Bool {
        var rows = operation.isBid ? bids : asks
        switch (operation.kind, operation.row) {
        case ("i", let row?) where operation.position <= rows.count: rows.insert(row, at: operation.position)
        case ("u", let row?) where operation.position < rows.count: rows[operation.position] = row
        case ("d", _) where operation.position < rows.count: rows.remove(at: operation.position)
        default: return false
        }
        if operation.isBid { bids = rows } else { asks = rows }
        return true
    }
}
