/// Fetched rules of trade conditions, to be laid over a table: they win over the fallback (analytics.md 3).
///
/// Pure, any thread. Two things stay as the fallback has them: that a condition cancels an earlier trade, which a table of
/// what may be updated can't say, and that extended hours (12) take nothing away outside RTH, where every print carries it.
public struct TradeRulesOverride: Hashable, Sendable {
    /// What one condition lets a trade update, as the provider states it.
    public struct Entry: Hashable, Sendable {
        /// The condition's id, 1 to 254.
        public var id: UInt8
        /// The provider's name of it, for people.
        public var name: String
        /// May set high and low.
        public var updatesHighLow: Bool
        /// May set open, close and last.
        public var updatesLast: Bool
        /// Counts in volume.
        public var updatesVolume: Bool

        /// States a rule.
        public init(id: UInt8, name: String, updatesHighLow: Bool, updatesLast: Bool, updatesVolume: Bool) {
            self.id = id
            self.name = name
            self.updatesHighLow = updatesHighLow
            self.updatesLast = updatesLast
            self.updatesVolume = updatesVolume
        }

        /// The measures that it takes away: a trade without volume sets no price, one without high and low no last.
        public var blocks: TradeClass {
            if !updatesVolume { return .all }
            if !updatesHighLow { return [.eligible, .last] }
            return updatesLast ? .none : .last
        }
    }

    /// A condition that the table treated otherwise.
    public struct Difference: Hashable, Sendable, CustomStringConvertible {
        /// Whose condition.
        public var kind: InstrumentKind
        /// Its id.
        public var id: UInt8
        /// The provider's name of it.
        public var name: String
        /// What a trade with it alone could update in RTH before.
        public var before: TradeClass
        /// And with these rules.
        public var after: TradeClass

        /// A line for a log.
        public var description: String {
            "\(kind) condition \(id) (\(name)): \(Self.words(before)) before, \(Self.words(after)) as fetched"
        }

        private static func words(_ measures: TradeClass) -> String {
            if measures.contains(.cancel) { return "cancel" }
            if measures.contains(.last) { return "volume, high-low, last" }
            if measures.contains(.eligible) { return "volume, high-low" }
            return measures.contains(.counted) ? "volume" : "nothing"
        }
    }

    /// Whose conditions; an index has none.
    public var kind: InstrumentKind
    /// In order of id, each id once.
    public private(set) var entries: [Entry]

    /// Of several entries of an id the last counts; 0 (regular) and 255 (unknown) can't be given a rule.
    public init(_ kind: InstrumentKind, _ entries: [Entry]) {
        self.kind = kind
        var byID: [UInt8: Entry] = [:]
        for entry in entries where entry.id != 0 && entry.id != 255 { byID[entry.id] = entry }
        self.entries = byID.values.sorted { $0.id < $1.id }
    }

    /// The table with these rules; conditions that they don't name stay as they are.
    public func applied(to rules: TradeRules) -> TradeRules {
        guard kind != .index else { return rules }
        var result = rules
        for entry in entries where !isCancel(entry.id, rules) {
            let isExtendedHours = kind == .equity && entry.id == 12
            result.set(kind, entry.id, blocks: entry.blocks, outsideRTH: isExtendedHours ? TradeClass.none : nil)
        }
        return result
    }

    /// Where the table changes by these rules, in order of id: to be told, since it changes figures.
    public func differences(from rules: TradeRules) -> [Difference] {
        let changed = applied(to: rules)
        return entries.compactMap { entry in
            let before = rules.classify(Self.alone(entry.id), kind, in: .rth)
            let after = changed.classify(Self.alone(entry.id), kind, in: .rth)
            guard before != after else { return nil }
            return Difference(kind: kind, id: entry.id, name: entry.name, before: before, after: after)
        }
    }

    private func isCancel(_ id: UInt8, _ rules: TradeRules) -> Bool {
        rules.classify(Self.alone(id), kind, in: .rth).contains(.cancel)
    }

    private static func alone(_ id: UInt8) -> Conditions { Conditions(packed: UInt64(id)) }
}
