internal import MarketData
internal import Primitives
internal import Wire

// What happens on the bridge's far side (feeds.md 4.1.3): states and errors told, data that stops, what comes back after.
extension BridgeSession {
    /// Lets a mood begin.
    package mutating func strike(_ mood: Mood, _ model: MarketModel, at moment: Moment) -> [Action] {
        guard hasGreeted else { return [] }
        switch mood {
        case .connectivityLost:
            (state, flows) = ("down", false)
            tell(code: 1_100, "Connectivity between IB and TWS has been lost.", stale: true, moment)
        case .restoredDataLost:
            restore(1_101, "Connectivity between IB and TWS has been restored - data lost.", model, moment)
        case .restoredDataKept:
            (state, flows) = ("up", true)
            tell(
                code: 1_102,
                "Connectivity between IB and TWS has been restored - data maintained.",
                stale: false,
                moment
            )
        case .farmBroken:
            (state, flows) = ("degraded", false)
            tell(code: 2_103, "Market data farm connection is broken:usfarm", farm: "usfarm", stale: true, moment)
        case .farmOK: restore(2_104, "Market data farm connection is OK:usfarm", model, moment)
        case .competingSession:
            (state, flows) = ("degraded", false)
            for key in lines.keys.sorted() { fail(10_197, "No market data during competing live session", key, moment) }
            tell(code: 10_197, "No market data during competing live session", stale: true, moment)
        case .barBust:
            guard let key = lines.keys.sorted().first(where: { lines[$0]?.wantsBars ?? false }) else { return [] }
            fail(10_225, "Bust event occurred, current subscription is deactivated.", key, moment)
        case .depthReset:
            for key in lines.keys.sorted() where (lines[key]?.depth ?? 0) > 0 {
                fail(317, "Market depth data has been RESET.", key, moment)
                book(key, lines[key].flatMap { model.quote(of: $0.symbol) }, moment)
            }
        case .login:
            (state, flows) = ("login", false)
            tell(code: nil, "session ended, a login is needed", stale: true, moment)
        case .sequenceHole: number += 3
        case .gap: gap(model, moment)
        default: return []
        }
        return flush()
    }

    /// Lets a mood with a length end, as the far side does when it is back.
    package mutating func recover(from mood: Mood, _ model: MarketModel, at moment: Moment) -> [Action] {
        switch mood {
        case .connectivityLost: return strike(.restoredDataLost, model, at: moment)
        case .farmBroken: return strike(.farmOK, model, at: moment)
        case .competingSession, .login:
            restore(nil, "market data is back", model, moment)
            return flush()
        default: return []
        }
    }

    private mutating func restore(_ code: Int64?, _ message: String, _ model: MarketModel, _ moment: Moment) {
        (state, flows) = ("up", true)
        tell(code: code, message, farm: code == 2_104 ? "usfarm" : nil, stale: false, moment)
        // The bridge asks for everything again, which brings the whole state.
        for key in lines.keys.sorted() { snapshot(key, model, moment) }
    }

    private mutating func tell(code: Int64?, _ message: String, farm: String? = nil, stale: Bool, _ moment: Moment) {
        let (state, keys) = (state, lines.keys.sorted())
        begin("st", moment) { out, object in
            object.field("ib", state as String?, to: &out)
            if let code { object.field("code", code as Int64?, to: &out) }
            if let farm { object.field("farm", farm as String?, to: &out) }
            object.field("msg", message as String?, to: &out)
            if stale { object.field("stale_ks", .array(keys.map { .string($0) }), to: &out) }
        }
    }

    private mutating func fail(_ code: Int64, _ message: String, _ key: String, _ moment: Moment) {
        begin("err", moment) { out, object in
            object.field("code", code as Int64?, to: &out)
            object.field("msg", message as String?, to: &out)
            object.field("k", key as String?, to: &out)
        }
    }

    /// Seven numbers are thrown away and said so; snapshots follow.
    private mutating func gap(_ model: MarketModel, _ moment: Moment) {
        let (from, to, keys) = (number, number + 6, lines.keys.sorted())
        number += 7
        begin("gap", moment) { out, object in
            object.field("from", from as Int64?, to: &out)
            object.field("to", to as Int64?, to: &out)
            object.field("why", "backpressure" as String?, to: &out)
            object.field("ks", .array(keys.map { .string($0) }), to: &out)
        }
        for key in keys { snapshot(key, model, moment) }
    }
}
