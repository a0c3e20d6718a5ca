/// What is wanted of an instrument.
package struct BridgeSubscription: Hashable, Sendable {
    package var key: BridgeKey
    /// Level one; a market data line.
    package var quotes: Bool
    /// Rows of depth, 0…5; 0 for none.
    package var depth: Int
    /// Five-second bars; a market data line too.
    package var bars: Bool
    /// 0…9, 9 the dearest.
    package var priority: Int

    package init(_ key: BridgeKey, quotes: Bool = true, depth: Int = 0, bars: Bool = false, priority: Int = 5) {
        self.key = key
        self.quotes = quotes
        self.depth = min(max(depth, 0), 5)
        self.bars = bars
        self.priority = min(max(priority, 0), 9)
    }
}

/// What the account's lines don't reach for.
package struct BridgeShortfall: Hashable, Comparable, Sendable {
    package enum Part: String, Sendable { case quotes, bars, depth }

    package let key: BridgeKey
    package let part: Part

    package static func < (a: BridgeShortfall, b: BridgeShortfall) -> Bool {
        a.key == b.key ? a.part.rawValue < b.part.rawValue : a.key < b.key
    }
}

/// Cuts what is wanted down to the account's lines and books, the dearest first (feeds.md 4.1.2).
package enum BridgeQuota {
    /// What is served, in the order of the wants' worth, and what isn't.
    ///
    /// A later subscription of the same key is passed over. Equal priorities go by key, so that the same wants always
    /// give the same plan.
    package static func plan(
        _ wanted: [BridgeSubscription],
        lines: Int,
        books: Int
    ) -> (served: [BridgeSubscription], shortfalls: [BridgeShortfall]) {
        var seen: Set<BridgeKey> = []
        let ordered = wanted.filter { seen.insert($0.key).inserted }.sorted {
            $0.priority == $1.priority ? $0.key < $1.key : $0.priority > $1.priority
        }
        var served: [BridgeSubscription] = []
        var shortfalls: [BridgeShortfall] = []
        var (linesLeft, booksLeft) = (lines, books)
        for want in ordered {
            var got = want
            if want.quotes, !take(&linesLeft) { got.quotes = false }
            if want.bars, !take(&linesLeft) { got.bars = false }
            if want.depth > 0, !take(&booksLeft) { got.depth = 0 }
            if want.quotes, !got.quotes { shortfalls.append(BridgeShortfall(key: want.key, part: .quotes)) }
            if want.bars, !got.bars { shortfalls.append(BridgeShortfall(key: want.key, part: .bars)) }
            if want.depth > 0, got.depth == 0 { shortfalls.append(BridgeShortfall(key: want.key, part: .depth)) }
            if got.quotes || got.bars || got.depth > 0 { served.append(got) }
        }
        return (served, shortfalls)
    }

    private static func take(_ left: inout Int) -> Bool {
        guard left > 0 else { return false }
        left -= 1
        return true
    }
}

/// The frames that the engine sends; keys have no byte that needs an escape.
enum BridgeFrames {
    static let version: Int64 = 1

    static func hello(resume epoch: String?) -> String {
        // The peer's own text: only in the form that needs no escape.
        let isPlain = epoch?.utf8.allSatisfy { byte in
            byte == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        }
        let resume = isPlain == true ? epoch.map { #","resume":"\#($0)""# } ?? "" : ""
        return #"{"op":"hello","v":\#(version),"client":"striketape-engine"\#(resume)}"#
    }

    static func set(id: String, _ subscriptions: [BridgeSubscription]) -> String {
        let parts = subscriptions.map { subscription in
            var part = #"{"k":"\#(subscription.key)""#
            if subscription.quotes { part += #","l1":true"# }
            if subscription.depth > 0 { part += #","depth":\#(subscription.depth)"# }
            if subscription.bars { part += #","bars":true,"what":"TRADES""# }
            return part + #","pri":\#(subscription.priority)}"#
        }
        return #"{"op":"set","id":"\#(id)","subs":[\#(parts.joined(separator: ","))]}"#
    }

    static func snapshot(id: String, _ keys: [BridgeKey]) -> String {
        #"{"op":"snap","id":"\#(id)","ks":[\#(keys.map { "\"\($0)\"" }.joined(separator: ","))]}"#
    }
}
