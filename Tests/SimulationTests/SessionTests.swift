import Testing
import Wire

@testable import Simulation

/// What the Polygon session machine answers, line by line (feeds.md 1.2, 1.3).
@Suite struct ProviderSessionTests {
    private static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    static func opened(_ market: PolygonMarket = .stocks, moods: MoodSet = MoodSet()) -> ProviderSession {
        var session = ProviderSession(market: market, key: "k")
        _ = session.received(bytes(#"{"action":"auth","params":"k"}"#), moods: moods)
        return session
    }

    static func status(_ status: String, _ message: String) -> String {
        #"[{"ev":"status","status":"\#(status)","message":"\#(message)"}]"#
    }

    @Test(arguments: [
        (MoodSet(), "k", [ProviderSession.Action.send(status("auth_success", "authenticated"))]),
        (MoodSet(), "x", [.send(status("auth_failed", "authentication failed")), .drop]),
        (MoodSet(.authFailure), "k", [.send(status("auth_failed", "authentication failed")), .drop]),
        (
            MoodSet(.noWebSocketPlan), "k",
            [.send(status("auth_failed", "Your plan doesn't include websocket access.")), .drop]
        ),
        (MoodSet(.authTimeout), "k", []),
    ]) func authentication(moods: MoodSet, key: String, expected: [ProviderSession.Action]) {
        var session = ProviderSession(market: .stocks, key: "k")
        let answer1 = session.received(Self.bytes(#"{"action":"auth","params":"\#(key)"}"#), moods: moods)
        #expect(answer1 == expected)
        #expect(session.isAuthenticated == (expected.count == 1))
    }

    @Test func subscriptionNeedsAuthentication() {
        var session = ProviderSession(market: .stocks, key: nil)
        let answer = session.received(Self.bytes(#"{"action":"subscribe","params":"T.SPY"}"#))
        #expect(answer == [.send(Self.status("error", "not authorized"))])
        #expect(!session.hears(channel: "T", symbol: "SPY"))
    }

    @Test(arguments: [
        ("T.SPY", ["T.SPY"]), ("T.SPY,Q.SPY", ["T.SPY", "Q.SPY"]), ("QQ.SPY", []), ("T.NOTATICKER", ["T.NOTATICKER"]),
        ("QQ.SPY,AM.*", ["AM.*"]), ("V.I:SPX", []), ("", []), (",,T.,.", ["T."]),
    ]) func stocksAcknowledge(params: String, acknowledged: [String]) {
        var session = Self.opened()
        let answer = session.received(Self.bytes(#"{"action":"subscribe","params":"\#(params)"}"#))
        let expected = acknowledged.map { #"{"ev":"status","status":"success","message":"subscribed to: \#($0)"}"# }
        #expect(answer == (expected.isEmpty ? [] : [.send("[" + expected.joined(separator: ",") + "]")]))
        // No second acknowledgement.
        let answer2 = session.received(Self.bytes(#"{"action":"subscribe","params":"\#(params)"}"#))
        #expect(answer2 == [])
    }

    @Test func aChannelOutsideThePlanIsRefusedAlone() {
        var session = Self.opened()
        let answer = session.received(
            Self.bytes(#"{"action":"subscribe","params":"NOI.SPY,T.SPY"}"#),
            moods: MoodSet(.notAuthorized)
        )
        #expect(
            answer == [
                .send(
                    #"[{"ev":"status","status":"error","message":"not authorized"},{"ev":"status","status":"success","message":"subscribed to: T.SPY"}]"#
                )
            ]
        )
    }

    @Test func optionQuotesEndAtAThousandAndHaveNoWildcard() {
        var session = Self.opened(.options)
        let pairs = (0..<1_005).map { "Q.O:SPY\($0)" }.joined(separator: ",")
        _ = session.received(Self.bytes(#"{"action":"subscribe","params":"\#(pairs),Q.*,T.*"}"#))
        #expect(session.hears(channel: "Q", symbol: "O:SPY999"))
        #expect(!session.hears(channel: "Q", symbol: "O:SPY1000"))
        #expect(!session.hears(channel: "Q", symbol: "O:QQQ1"))
        #expect(session.hears(channel: "T", symbol: "O:QQQ1"))
        _ = session.received(Self.bytes(#"{"action":"unsubscribe","params":"Q.O:SPY1"}"#))
        #expect(!session.hears(channel: "Q", symbol: "O:SPY1"))
    }

    @Test func unsubscribing() {
        var session = Self.opened()
        _ = session.received(Self.bytes(#"{"action":"subscribe","params":"T.SPY"}"#))
        let answer = session.received(Self.bytes(#"{"action":"unsubscribe","params":"T.SPY,T.QQQ"}"#))
        #expect(answer == [.send(Self.status("success", "unsubscribed to: T.SPY"))])
        #expect(!session.hasSubscriptions)
    }

    @Test func silenceBeforeAuthenticationEnds() {
        var session = ProviderSession(market: .stocks, key: nil)
        let answer3 = session.waited(nanos: 9_000_000_000)
        #expect(answer3 == [])
        let answer4 = session.waited(nanos: 11_000_000_000)
        #expect(
            answer4 == [
                .send(Self.status("auth_timeout", "No authentication request received.")), .close(1_008),
            ]
        )
        let answer5 = session.waited(nanos: 12_000_000_000)
        #expect(answer5 == [])
        var open = Self.opened()
        let answer6 = open.waited(nanos: 60_000_000_000)
        #expect(answer6 == [])
    }

    @Test(arguments: [
        "", "[]", "{", #"{"action":3,"params":"x"}"#, #"{"action":"auth"}"#, #"{"action":"fly","params":"x"}"#,
    ])
    func nonsenseIsAnError(text: String) {
        var session = ProviderSession(market: .stocks, key: nil)
        let answer = session.received(Self.bytes(text))
        #expect(answer.count == 1 && !session.isAuthenticated)
    }
}

/// What the flow vendor's session machine answers (feeds.md 3.1).
@Suite struct FlowSessionTests {
    @Test(arguments: [
        ("option_trades", true), ("option_trades:SPY", true), ("flow-alerts", true), ("flow-alerts:SPY", false),
        ("price:SPY", true), ("price", false), ("news", true), ("gex:SPX", true), ("gex_strike_expiry:SPY", true),
        ("market_tide", true), ("trading_halts", true), ("off_lit_trades", true), ("nonsense", false),
        ("price:", false),
    ]) func joins(channel: String, isKnown: Bool) {
        var session = FlowSession()
        let answer = session.received(Array(#"{"channel":"\#(channel)","msg_type":"join"}"#.utf8))
        if isKnown {
            #expect(answer == [.send(#"["\#(channel)",{"response":{},"status":"ok"}]"#)])
        } else {
            #expect(answer == [.send(#"["\#(channel)",{"response":{"reason":"unauthorized"},"status":"error"}]"#)])
        }
        #expect(session.channels.contains(channel) == isKnown)
        let left = session.received(Array(#"{"channel":"\#(channel)","msg_type":"leave"}"#.utf8))
        #expect(left == [.send(#"["\#(channel)",{"response":{},"status":"ok"}]"#)])
        #expect(session.channels.isEmpty)
    }

    @Test func aRefusedJoinIsToldAndHearsNothing() {
        var session = FlowSession()
        let answer = session.received(
            Array(#"{"channel":"news","msg_type":"join"}"#.utf8),
            moods: MoodSet(.joinRefused)
        )
        #expect(answer == [.send(#"["news",{"response":{"reason":"unauthorized"},"status":"error"}]"#)])
        #expect(session.channels.isEmpty)
    }

    @Test func everyDocumentedChannelTellsItsPayload() throws {
        let (model, events) = Sample.run(Sample.options(rate: 2_000), seconds: 60)
        var feed = FlowFeed()
        let joined: Set<String> = [
            "option_trades", "option_trades:SPY", "flow-alerts", "price:SPY", "gex:SPY", "gex_strike:SPX",
            "gex_strike_expiry:SPY", "lit_trades", "off_lit_trades", "news", "market_tide", "net_flow:SPY",
        ]
        _ = feed.messages([], MarketModel(Sample.options()), joined: joined)
        let messages = feed.messages(events, model, joined: joined)
        var fields: [String: Set<String>] = [:]
        for message in messages {
            let value = try JSONParser.parse(message.frame)
            #expect(value.array?.first?.string == message.channel)
            guard case .object(let members)? = value.array?.last else {
                Issue.record("no object in \(message.channel)")
                continue
            }
            fields[message.channel, default: []].formUnion(members.map(\.key))
        }
        for channel in joined { #expect(fields[channel] != nil, "\(channel)") }
        #expect(fields["option_trades"] == (try Self.keys(Examples.optionTrade)))
        #expect(fields["flow-alerts"] == (try Self.keys(Examples.alert)))
        #expect(fields["gex:SPY"] == (try Self.keys(Examples.gex)))
        #expect(fields["off_lit_trades"] == (try Self.keys(Examples.offLit)))
        #expect(fields["gex_strike_expiry:SPY"]?.contains("expiry") ?? false)
        let first = try #require(messages.first { $0.channel == "option_trades" })
        let payload = try JSONParser.parse(first.payload)
        for name in ["nbbo_bid", "price", "premium", "strike", "delta", "implied_volatility"] {
            #expect(payload[name]?.string.flatMap(Double.init) != nil, "\(name) is a decimal text")
        }
        let gex = try #require(messages.first { $0.channel == "gex:SPY" })
        #expect(try JSONParser.parse(gex.payload)["delta_per_one_percent_move_oi"]?.string == "")
        let off = try #require(messages.first { $0.channel == "off_lit_trades" })
        #expect(try JSONParser.parse(off.payload)["executed_at"]?.string?.hasSuffix("Z") ?? false)
        // An alert names trades that were told.
        let alert = try #require(messages.first { $0.channel == "flow-alerts" })
        let ids = try #require(try JSONParser.parse(alert.payload)["trade_ids"]?.array?.compactMap(\.string))
        let told = try Set(
            messages.filter { $0.channel == "option_trades" }.map {
                try JSONParser.parse($0.payload)["id"]?.string ?? ""
            }
        )
        #expect(!ids.isEmpty && ids.allSatisfy(told.contains))
    }

    /// The members of an example's payload.
    private static func keys(_ example: String) throws -> Set<String> {
        let value = try JSONParser.parse(example.utf8)
        guard case .object(let members) = value.array?.last ?? value else { return [] }
        return Set(members.map(\.key))
    }
}

/// The documented examples (feeds.md 3.1), for their members' names.
private enum Examples {
    static let optionTrade = #"""
        ["option_trades:SPY",{"id":"a4dc6020-0611-4c23-b0bc-99944c7348ab","underlying_symbol":"SPY","executed_at":1764086400412,"nbbo_bid":"1.53","nbbo_ask":"1.55","size":25,"price":"1.55","option_symbol":"SPY251219C00650000","created_at":1764086400461,"report_flags":[],"tags":["ask_side","bullish","etf"],"expiry":"2025-12-19","option_type":"call","open_interest":4100,"strike":"650.0000000000","premium":"3875.00","volume":1050,"underlying_price":"648.92","ewma_nbbo_ask":"1.55","ewma_nbbo_bid":"1.53","implied_volatility":"0.1264","delta":"0.4413","theta":"-0.41","gamma":"0.031","vega":"0.19","rho":"0.02","theo":"1.54","trade_code":"auto","exchange":"XCBO","ask_vol":600,"bid_vol":400,"no_side_vol":0,"mid_vol":50,"multi_vol":120,"stock_multi_vol":0}]
        """#
    static let alert = #"""
        ["flow-alerts",{"id":"29ed5829-e4ce-4934-876b-51985d2f9b70","rule_id":"5ce5ec11-087c-4c00-b164-08106b015856","rule_name":"RepeatedHits","ticker":"SPY","option_chain":"SPY251219C00650000","underlying_price":648.9,"volume":1060,"total_size":500,"total_premium":77500,"total_ask_side_prem":70000.0,"total_bid_side_prem":0,"start_time":1764086400100,"end_time":1764086400412,"url":"","price":1.55,"has_multileg":false,"has_sweep":true,"has_floor":false,"open_interest":4100,"all_opening_trades":false,"has_singleleg":true,"volume_oi_ratio":0.0,"trade_ids":["417f0cd6-09ae-4d43-8542-38557bb713aa"],"trade_count":1,"expiry_count":1,"executed_at":1764086400412,"ask_vol":52,"bid_vol":49,"no_side_vol":0,"mid_vol":5,"multi_vol":0,"stock_multi_vol":0,"upstream_condition_details":["auto"],"exchanges":["XCBO"],"bid":"1.53","ask":"1.55"}]
        """#
    static let gex = #"""
        ["gex:SPY",{"ticker":"SPY","timestamp":1764086400000,"gamma_per_one_percent_move_oi":"-262444980.31","delta_per_one_percent_move_oi":"","charm_per_one_percent_move_oi":"-1677926539943.05","vanna_per_one_percent_move_oi":"2842602508.57","price":"648.92","gamma_per_one_percent_move_vol":"-934307209.58","delta_per_one_percent_move_vol":"","charm_per_one_percent_move_vol":"-556207588704.10","vanna_per_one_percent_move_vol":"128814703.59","gamma_per_one_percent_move_dir":"-9372185.61","charm_per_one_percent_move_dir":"-2055997560.50","vanna_per_one_percent_move_dir":"-6220855.09"}]
        """#
    static let offLit = #"""
        {"symbol":"AAPL","price":"150.25","type":"off_lit","size":100,"volume":1000,"trade_settlement":"regular","trade_code":null,"ext_hour_sold_codes":"extended_hours_trade","sale_cond_codes":null,"executed_at":"2024-09-22T14:30:00Z","nbbo_bid":"150.20","nbbo_ask":"150.25","nbbo_bid_quantity":500,"nbbo_ask_quantity":800,"sector":"Technology","next_earnings_date":"2024-10-25","avg30_volume":"75000000.0","issue_type":"Common Stock","marketcap":"2400000000000.0"}
        """#
}
