internal import Primitives
internal import Wire

/// The contracts that open plans are about, for the universe.
///
/// Hears the plans' whole values as they are released; a recovery releases all of them, so it is complete after a start.
/// Plans without a contract are about symbols that are followed anyway, and cost a search of their text. Any thread.
final class PlanRoster: Sendable {
    private struct Roster {
        var contractOfPlan: [String: String] = [:]
        var planCounts: [String: Int] = [:]
    }

    private let roster = Lock(Roster())

    /// Contracts with an open plan.
    var contracts: Set<String> { roster.withLock { Set($0.planCounts.keys) } }

    /// Takes released messages.
    func released(_ messages: [Envelope]) {
        for message in messages where message.outputClass == .state && message.channel.kind == .plan {
            guard let found = Self.contract(in: message) else { continue }
            note(plan: message.channel.key, contract: found.isOpen ? found.contract : nil)
        }
    }

    private func note(plan: String, contract: String?) {
        roster.withLock { roster in
            let old = roster.contractOfPlan[plan]
            guard old != contract else { return }
            if let old {
                let count = (roster.planCounts[old] ?? 1) - 1
                roster.planCounts[old] = count > 0 ? count : nil
            }
            roster.contractOfPlan[plan] = contract
            if let contract { roster.planCounts[contract, default: 0] += 1 }
        }
    }

    private static func contract(in message: Envelope) -> (contract: String, isOpen: Bool)? {
        guard message.bytes.firstRange(of: Self.mark) != nil, let header = EnvelopeHeader(message.bytes),
            let value = try? JSONParser.parse(Array(message.bytes[header.payload])),
            let contract = value["plan"]?["contract"]?.string
        else { return nil }
        let state = value["state"]?.string ?? ""
        return (contract, ["draft", "armed", "entered"].contains(state))
    }

    private static let mark = Array(#""contract":"O:"#.utf8)
}
