package import Primitives

package struct RepairBar: Sendable {
    package init(start: Instant, seconds: Int64, open: Price, high: Price, low: Price, close: Price) {}
}
extension PlanBook {
    package mutating func blind(
        _ instrument: SymbolID,
        from: Instant,
        defers: Bool,
        received: Instant,
        into out: inout [PlanOutcome]
    ) {}
    package mutating func repair(
        _ instrument: SymbolID,
        from: Instant,
        to: Instant,
        bars: [RepairBar]?,
        received: Instant,
        into out: inout [PlanOutcome]
    ) {}
    package mutating func seeing(_ instrument: SymbolID, received: Instant, into out: inout [PlanOutcome]) {}
}
