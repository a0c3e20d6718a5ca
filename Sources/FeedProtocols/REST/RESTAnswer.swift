package import MarketData
package import Primitives

/// What a REST answer on the tape says to the engine: the same value live and in a replay.
///
/// Pure: made of the line's own words alone. A body of nil means that the answer couldn't be had.
package enum RESTAnswer: Sendable, Equatable {
    /// Bars with starts from `from` on and before `to`, in order of time; nil where they couldn't be had.
    ///
    /// Windows without a bar had no trade that makes one; bars that end before `to` may lack what came after.
    case bars(symbol: SymbolID, from: Instant, to: Instant, seconds: Int, bars: [Bar]?)
    /// What the trade conditions of a kind of instrument forbid; an answer holds one kind.
    case conditions(TradeRulesOverride)
    case holidays([Holiday])
    case lastQuote(Quote)
    /// Nothing that the engine takes.
    case other
    /// It couldn't be had, and isn't bars.
    case unavailable
    /// It can't be trusted; the reason is for people.
    case malformed(String)

    /// Reads a line's `src`, `url` and `body`.
    ///
    /// - Parameters:
    ///   - source: a provider's name as the tape has it, by which its reader is chosen.
    ///   - url: path and query.
    ///   - body: the JSON text; `null` and nil mean that it couldn't be had.
    ///   - symbols: interns the symbol of bars and quotes.
    /// - Returns: always a value; what can't be read is `malformed`.
    package static func decode(
        source: String,
        url: String,
        body: UnsafeRawBufferPointer?,
        symbols: inout SymbolTable
    ) -> RESTAnswer {
        guard let request = RESTRequest(target: url, entitlement: "") else { return .malformed("not a URL's path") }
        var tree: RESTTree?
        if let body, !body.elementsEqual("null".utf8) {
            guard let read = RESTTree(body) else { return .malformed("not JSON") }
            tree = read == .null ? nil : read
        }
        guard source.hasPrefix("polygon") else { return .other }
        return PolygonREST.answer(to: request, tree, symbols: &symbols)
    }
}
