package import Primitives

/// The depth of one instrument: rows of both sides, best first, changed by position.
///
/// An insert shifts the rows below it down, a delete shifts them up (feeds.md 4.1.5, trap 6). More rows than the five
/// that are asked for are kept, so that a row pushed out of these is there when one above it goes.
package struct BridgeBook: Hashable, Sendable {
    package struct Row: Hashable, Sendable {
        package var price: Price
        package var size: Size
        /// Venue or market maker; empty where the feed gives none.
        package var maker: String

        package init(price: Price, size: Size, maker: String = "") {
            self.price = price
            self.size = size
            self.maker = maker
        }
    }

    package private(set) var bids: [Row] = []
    package private(set) var asks: [Row] = []

    /// Most rows of a side.
    package static let rowsMax = 10

    package init() {}

    /// Replaces all rows; those beyond `rowsMax` are dropped.
    package init(bids: [Row], asks: [Row]) {
        self.bids = Array(bids.prefix(Self.rowsMax))
        self.asks = Array(asks.prefix(Self.rowsMax))
    }

    /// Applies an operation.
    ///
    /// - Returns: false where its position isn't in the book: an operation was lost, and the book is wrong.
    package mutating func apply(_ change: BridgeDepthChange) -> Bool {
        change.isBid ? Self.apply(change, to: &bids) : Self.apply(change, to: &asks)
    }

    private static func apply(_ change: BridgeDepthChange, to rows: inout [Row]) -> Bool {
        switch change.operation {
        case .insert:
            guard change.position >= 0, change.position <= rows.count, change.position < rowsMax else { return false }
            rows.insert(change.row, at: change.position)
            if rows.count > rowsMax { rows.removeLast() }
        case .update:
            guard rows.indices.contains(change.position) else { return false }
            rows[change.position] = change.row
        case .delete:
            guard rows.indices.contains(change.position) else { return false }
            rows.remove(at: change.position)
        }
        return true
    }
}

/// The books of a connection, by the reader's index of the key.
///
/// Only a `book` begins one: on a connection that joins a running subscription, the first operations would be changes
/// of rows never seen.
struct BridgeBooks {
    enum Outcome {
        case applied
        /// The book isn't sure, and that was said before.
        case ignored
        /// The book isn't sure from here on: a snapshot has to be asked for.
        case damaged
    }

    private var books: [Int: BridgeBook] = [:]
    private var damaged: Set<Int> = []

    /// A book that is sure.
    subscript(key: Int) -> BridgeBook? {
        get { books[key] }
        set {
            books[key] = newValue
            damaged.remove(key)
        }
    }

    /// Applies an operation, or finds that it doesn't fit.
    mutating func apply(_ change: BridgeDepthChange, to key: Int) -> Outcome {
        if books[key]?.apply(change) == true { return .applied }
        books[key] = nil
        return damaged.insert(key).inserted ? .damaged : .ignored
    }

    /// Forgets a book whose operations were lost; who lost them sends or asks for the next.
    mutating func void(_ key: Int) {
        if books.removeValue(forKey: key) != nil { damaged.insert(key) }
    }
}
