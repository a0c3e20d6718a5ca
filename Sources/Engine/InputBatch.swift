package import MarketData
package import Primitives
package import SymbolCore
package import Wire

/// Inputs of one shard on their way through its mailbox, in order of `n`.
package struct InputBatch: Sendable {
    package var inputs: [Input] = []
    /// Instruments first seen; a shard makes their places before it applies the inputs.
    package var introductions: [Introduction] = []
    package var commands: [Command] = []
    package var feedChanges: [FeedChange] = []
    /// What bars say of gaps.
    package var repairs: [RepairBars] = []
    /// Trade rules as fetched.
    package var rules: [TradeRules] = []
    /// What the gap ledger says; the first shard's only.
    package var ledger: [LedgerEntry] = []
    /// What the control plane wants done after the inputs.
    package var controls: [Control] = []
    /// The shard has seen every input of its own up to here once it has applied the batch.
    package var through: Ordinal = 0

    package init() {}

    package var isEmpty: Bool { inputs.isEmpty && introductions.isEmpty && controls.isEmpty && ledger.isEmpty }

    package mutating func append(_ other: borrowing InputBatch) {
        let commandBase = commands.count
        let feedBase = feedChanges.count
        let repairBase = repairs.count
        let ruleBase = rules.count
        let first = inputs.count
        inputs.append(contentsOf: other.inputs)
        if commandBase + feedBase + repairBase + ruleBase > 0,
            !(other.commands.isEmpty && other.feedChanges.isEmpty && other.repairs.isEmpty
                && other.rules.isEmpty)
        {
            for index in first..<inputs.count {
                inputs[index].shift(commands: commandBase, feeds: feedBase, repairs: repairBase, rules: ruleBase)
            }
        }
        introductions.append(contentsOf: other.introductions)
        commands.append(contentsOf: other.commands)
        feedChanges.append(contentsOf: other.feedChanges)
        repairs.append(contentsOf: other.repairs)
        rules.append(contentsOf: other.rules)
        ledger.append(contentsOf: other.ledger)
        controls.append(contentsOf: other.controls)
        through = max(through, other.through)
    }

    package mutating func removeAll() {
        inputs.removeAll(keepingCapacity: true)
        introductions.removeAll(keepingCapacity: true)
        commands.removeAll(keepingCapacity: true)
        feedChanges.removeAll(keepingCapacity: true)
        repairs.removeAll(keepingCapacity: true)
        rules.removeAll(keepingCapacity: true)
        ledger.removeAll(keepingCapacity: true)
        controls.removeAll(keepingCapacity: true)
    }
}

extension Input {
    fileprivate mutating func shift(commands: Int, feeds: Int, repairs: Int, rules: Int) {
        switch body {
        case .command(let index): body = .command(index + commands)
        case .feed(let index): body = .feed(index + feeds)
        case .repair(let index): body = .repair(index + repairs)
        case .rules(let index): body = .rules(index + rules)
        case .market, .clock: break
        }
    }
}

/// A symbol seen for the first time, and the place it got.
package struct Introduction: Sendable {
    /// The ordinal from which on the symbol is known: how inputs were cut into batches must not matter.
    package var n: Ordinal
    package var core: UInt32
    package var slot: UInt32
    package var symbol: SymbolID
    package var instrument: Instrument
    /// How the feeds do at that moment; for a core that begins.
    package var feeds = FeedsState()
    /// What conditions forbid by then.
    package var rules = TradeRules()
}

/// What the control plane asks of a shard between two inputs.
package enum Control: Sendable {
    /// Somebody watches these channels; all where nil.
    case demand(Set<String>?)
    /// Save every core.
    case save(@Sendable ([(name: String, state: [UInt8])]) -> Void)
    /// Read every core's figures as they stood at an instant, from a copy.
    case read(Instant, @Sendable ([SymbolReading]) -> Void)
}
