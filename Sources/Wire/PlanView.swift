package import Primitives

/// What the derived fields need of a plan's snapshot (protocol.md 2, analytics.md 5), read from its JSON fields.
package struct PlanView: Sendable, Equatable {
    /// What the plan's levels are compared with.
    package enum Trigger: String, Sendable {
        case last
        case mid
        case bidask
        case doublebidask
    }

    package struct Target: Sendable, Equatable {
        package var price: Price
        package var fraction: Double

        package init(price: Price, fraction: Double) {
            self.price = price
            self.fraction = fraction
        }
    }

    /// A hit of the current version.
    package struct Hit: Sendable, Equatable {
        package var kind: String
        /// Target number from 1.
        package var target: Int?
        package var price: Price?

        package init(kind: String, target: Int?, price: Price?) {
            self.kind = kind
            self.target = target
            self.price = price
        }
    }

    package var id: String
    package var owner: String
    package var version: Int64
    package var symbol: String
    /// Set where the levels are prices of an option contract.
    package var contract: String?
    package var isLong: Bool
    package var trigger: Trigger
    package var state: String
    package var entry: Price
    /// As the plan was written: R is measured from it.
    package var firstStop: Price
    /// As it stands now.
    package var stop: Price?
    package var targets: [Target]
    package var hits: [Hit]

    /// The channel whose prices move the plan.
    package var priceChannel: Channel {
        if let contract { Channel(.contract, contract) } else { Channel(.symbol, symbol) }
    }

    /// Reads the fields of a `snapshot`: `plan`, `state`, `stop`, `hits`.
    ///
    /// - Returns: nil where a needed one is missing or of another form; the caller counts that and derives nothing.
    package init?(fields: [String: [UInt8]]) {
        guard let text = fields["plan"], let plan = try? JSONParser.parse(text),
            let id = plan["id"]?.string, let owner = plan["owner"]?.string, let symbol = plan["symbol"]?.string,
            let version = plan["version"]?.integer, let side = plan["side"]?.string, ["long", "short"].contains(side),
            let entry = plan["entry"]?["price"]?.micros, let firstStop = plan["stop"]?["price"]?.micros
        else { return nil }
        self.id = id
        self.owner = owner
        self.version = version
        self.symbol = symbol
        contract = plan["triggerOn"]?.string == "contract" ? plan["contract"]?.string : nil
        isLong = side == "long"
        trigger = plan["trigger"]?.string.flatMap(Trigger.init) ?? .last
        self.entry = Price(micros: entry)
        self.firstStop = Price(micros: firstStop)
        state = Self.value(fields, "state")?.string ?? ""
        stop = Self.value(fields, "stop").flatMap(Self.level) ?? self.firstStop
        targets = (plan["targets"]?.array ?? []).compactMap { target in
            guard let price = target["price"]?.micros, let fraction = target["fraction"]?.micros else { return nil }
            return Target(price: Price(micros: price), fraction: Double(fraction) / 1e6)
        }
        hits = (Self.value(fields, "hits")?.array ?? []).compactMap { hit in
            guard let kind = hit["kind"]?.string, hit["version"]?.integer ?? version == version else { return nil }
            return Hit(
                kind: kind,
                target: hit["k"]?.integer.map { Int($0) },
                price: hit["price"]?.micros.map { Price(micros: $0) }
            )
        }
    }

    private static func value(_ fields: [String: [UInt8]], _ name: String) -> JSONValue? {
        fields[name].flatMap { try? JSONParser.parse($0) }
    }

    /// A level is written as a price, or as an object with one.
    private static func level(_ value: JSONValue) -> Price? {
        (value.micros ?? value["price"]?.micros).map { Price(micros: $0) }
    }
}
