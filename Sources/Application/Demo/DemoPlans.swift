internal import Foundation
internal import Gateway
internal import Primitives
internal import Wire

/// A few plans around the first price of each symbol, made over HTTP as a user would.
///
/// Its own thread: it waits.
struct DemoPlans: Sendable {
    let port: Int
    let symbols: [String]
    let say: @Sendable (String) -> Void

    /// Seconds to wait for a symbol's first price.
    private static let patienceS = 120

    /// Makes a long and a short plan a symbol, as soon as its price is known.
    func create() {
        do {
            let http = try HTTPClient(url: "http://127.0.0.1:\(port)")
            let client = try PlanClient(url: "http://127.0.0.1:\(port)")
            for (index, symbol) in symbols.prefix(4).enumerated() {
                guard let price = try firstPrice(of: symbol, http) else {
                    say("No price of \(symbol) yet: no plan made for it.")
                    continue
                }
                let plan = Self.plan(symbol, around: price, isLong: index % 2 == 0)
                let made = try client.create(plan)
                say(
                    "Plan      \(made["plan"]?["id"]?.string ?? "?") \(symbol) \(index % 2 == 0 ? "long" : "short") made"
                )
            }
        } catch {
            say("Plans can't be made: \(error)")
        }
    }

    private func firstPrice(of symbol: String, _ http: HTTPClient) throws -> Int64? {
        let deadline = Date().addingTimeInterval(TimeInterval(Self.patienceS))
        while Date() < deadline {
            let answer = try http.send("GET", "/api/v1/stream/state?channels=symbol:\(symbol)")
            if answer.status == 200, let price = Self.last(in: answer.body) { return price }
            // Asking is also what makes the engine publish the symbol; its first figures come with the next tick.
            Thread.sleep(forTimeInterval: 0.25)
        }
        return nil
    }

    /// The `last` price anywhere in the answer, in micros.
    private static func last(in body: [UInt8]) -> Int64? {
        guard let answer = try? JSONParser.parse(body) else { return nil }
        return find("last", in: answer)?.micros
    }

    private static func find(_ key: String, in value: JSONValue) -> JSONValue? {
        switch value {
        case .object(let members):
            for member in members {
                if member.key == key, case .number = member.value { return member.value }
                if let found = find(key, in: member.value) { return found }
            }
        case .array(let values):
            for value in values {
                if let found = find(key, in: value) { return found }
            }
        default: break
        }
        return nil
    }

    /// Levels a few hundredths of a percent apart, so that a demo has something to show within minutes.
    private static func plan(_ symbol: String, around price: Int64, isLong: Bool) -> JSONValue {
        let step = max(20_000, price / 200_000_000 * 40_000)
        let sign: Int64 = isLong ? 1 : -1
        func number(_ micros: Int64) -> JSONValue {
            var out: [UInt8] = []
            DecimalText.append(micros: micros / 10_000 * 10_000, to: &out)
            return .number(String(decoding: out, as: UTF8.self))
        }
        func target(_ steps: Int64, _ fraction: String) -> JSONValue {
            .object([
                (key: "price", value: number(price + sign * steps * step)), (key: "fraction", value: .number(fraction)),
            ])
        }
        return .object([
            (key: "symbol", value: .string(symbol)), (key: "side", value: .string(isLong ? "long" : "short")),
            (key: "style", value: .string("intraday")),
            (key: "sessions", value: .array(["pre", "rth", "post"].map { .string($0) })),
            (
                key: "entry",
                value: .object([
                    (key: "type", value: .string("touch")), (key: "price", value: number(price - sign * step)),
                ])
            ),
            (key: "stop", value: .object([(key: "price", value: number(price - sign * 6 * step))])),
            (key: "targets", value: .array([target(2, "0.5"), target(4, "0.3"), target(7, "0.2")])),
            (key: "breakevenAfter", value: .number("1")), (key: "rationale", value: .string("demo")),
        ])
    }
}
