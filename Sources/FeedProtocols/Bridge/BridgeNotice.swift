internal import Primitives

/// How the bridge's own connection to the broker is doing.
package enum BridgeState: String, Sendable, CaseIterable {
    case up, down, degraded
    /// A person has to log in.
    case login
}

/// What the bridge says about itself when a connection begins.
package struct BridgeHello: Hashable, Sendable {
    package var version: Int64
    /// Changes when the bridge or its session was made anew; what was known before is void.
    package var epoch: String
    package var state: BridgeState
    /// Market data lines, nil where it doesn't say.
    package var lines: Int?
    /// Depth books at once, nil where it doesn't say.
    package var books: Int?
    /// Between heartbeats, in nanoseconds.
    package var heartbeat: Int64

    package init(
        version: Int64,
        epoch: String,
        state: BridgeState,
        lines: Int? = nil,
        books: Int? = nil,
        heartbeat: Int64
    ) {
        self.version = version
        self.epoch = epoch
        self.state = state
        self.lines = lines
        self.books = books
        self.heartbeat = heartbeat
    }
}

/// What a frame says beside market data, or what its reader noticed.
package enum BridgeNotice: Hashable, Sendable {
    case hello(BridgeHello)
    /// Events are missing in the sequence: from here on nothing that is kept can be trusted.
    case hole(expected: Int64, got: Int64)
    /// The bridge threw events of these keys away; snapshots follow. No keys: of all.
    case gap(keys: [String])
    case acknowledged(id: String, keys: [String])
    case refused(id: String, key: String, code: Int64, reason: String)
    case status(BridgeState, code: Int64, words: String, staleKeys: [String])
    case error(code: Int64, message: String, key: String?)
    case heartbeat(BridgeState?, dropped: Int64)
    case pong(id: String)
    /// What is kept of a key is wrong (a broken event, an index outside its book): a snapshot has to be asked for.
    case damaged(key: String)
    /// The epoch changed within the connection.
    case epochChanged(String)
}

/// A depth operation.
package struct BridgeDepthChange: Hashable, Sendable {
    package enum Operation: UInt8, Sendable { case insert, update, delete }

    package var operation: Operation
    package var isBid: Bool
    package var position: Int
    package var row: BridgeBook.Row

    package init(operation: Operation, isBid: Bool, position: Int, row: BridgeBook.Row) {
        self.operation = operation
        self.isBid = isBid
        self.position = position
        self.row = row
    }
}

/// The level-one fields of a `q` or `snap`; absent ones don't change.
struct BridgeChange: Equatable {
    /// A field that may be absent, empty or a number.
    enum Field: Equatable {
        case absent
        case empty
        case value(Int64)
    }

    var bid = Field.absent
    var ask = Field.absent
    var bidSize = Field.absent
    var askSize = Field.absent
    /// Last price, of a snapshot.
    var last = Field.absent
    /// 1 live, 2 frozen, 3 delayed, 4 delayed and frozen.
    var dataType: Int64?
    /// 0 trading, 1 halted, 2 halted by volatility.
    var halt: Int64?
    /// How old a snapshot's values are, in nanoseconds.
    var age: Int64 = 0
}

/// One event of a frame, in order; `key` is the reader's index of the instrument.
enum BridgeElement: Equatable {
    /// A connection begins: indices of keys begin anew, and nothing from before holds.
    case began
    case notice(BridgeNotice)
    case snapshot(key: Int, BridgeChange, time: Instant)
    case change(key: Int, BridgeChange, time: Instant)
    case trade(key: Int, price: Price, size: Size?, time: Instant)
    case bar(key: Int, BridgeBar)
    case depth(key: Int, BridgeDepthChange)
    case book(key: Int, BridgeBook)
}

/// A five-second bar as the bridge gives it.
struct BridgeBar: Equatable {
    var start: Instant
    var open: Price
    var high: Price
    var low: Price
    var close: Price
    var volume: Size
    var vwap: Price
    /// Whether it is made of trades; bars of quotes say nothing of trading.
    var isOfTrades: Bool
}
