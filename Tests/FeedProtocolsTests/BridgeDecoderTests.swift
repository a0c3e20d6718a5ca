import FeedProtocols
import MarketData
import Primitives
import Testing

private let none = SymbolID(index: 0)
private let spy = #""k":"STK:SPY:SMART:USD""#
private let key = BridgeKey("STK:SPY:SMART:USD")

/// The time of the bench's event with a number.
private func time(_ number: Int) -> Instant { Instant(nanos: (1_764_086_400_000_000 + Int64(number)) * 1_000) }

private func quote(_ bid: Int64, _ bidSize: Int64, _ ask: Int64, _ askSize: Int64, at time: Instant) -> MarketEvent {
    .quote(
        Quote(
            symbol: none,
            time: time,
            bid: Price(micros: bid * 10_000),
            ask: Price(micros: ask * 10_000),
            bidSize: Size(shares: bidSize),
            askSize: Size(shares: askSize)
        )
    )
}

@Suite struct BridgeDecoderTests {
    @Test func everyFrameOfTheProtocolSaysWhatItShould() throws {
        typealias Examples = BridgeExamples
        var bench = BridgeBench()
        #expect(bench.decode(Examples.hello).isEmpty && bench.decode(Examples.answers).isEmpty)
        let hello = BridgeNotice.hello(
            BridgeHello(
                version: 1,
                epoch: "7f0c4b1e-7d8e-4c7e-9a56-0f4b1f6d2a11",
                state: .up,
                lines: 100,
                books: 3,
                heartbeat: 1_000_000_000
            )
        )
        #expect(
            bench.decoder.takeNotices() == [
                hello, .acknowledged(id: "s1", keys: ["STK:SPY:SMART:USD"]),
                .refused(id: "s1", key: "STK:IWM:SMART:USD", code: 309, reason: "limit_depth"),
            ]
        )
        let snapshot = try #require(bench.decode(Examples.snapshot).first)
        #expect(snapshot.symbol == "SPY")
        // A snapshot is as old as it says.
        #expect(snapshot.event == quote(67_241, 400, 67_242, 1_200, at: Instant(nanos: 1_764_086_400_065_000_000)))
        let both = bench.decode(Examples.quoteAndTrade).map(\.event)
        let trade = Trade(
            symbol: none,
            time: Instant(millis: 1_764_086_400_000),
            sequence: 0,
            price: Price(micros: 672_420_000),
            size: Size(shares: 200)
        )
        #expect(
            both == [quote(67_242, 300, 67_242, 1_200, at: Instant(nanos: 1_764_086_400_350_000_000)), .trade(trade)]
        )
        // Without a book from the start an operation has nothing to change.
        #expect(bench.decode(Examples.depth).isEmpty && bench.decode(Examples.book).isEmpty)
        #expect(bench.decoder.takeNotices() == [.damaged(key: "STK:SPY:SMART:USD")])
        let book = try #require(key.flatMap { bench.decoder.book($0) })
        #expect(
            book.bids.map(\.price.micros) == [672_420_000, 672_410_000] && book.bids.map(\.maker) == ["ARCA", "NSDQ"]
        )
        #expect(
            book.asks == [BridgeBook.Row(price: Price(micros: 672_430_000), size: Size(shares: 900), maker: "BATS")]
        )
        let bar = Bar(
            symbol: none,
            seconds: 5,
            start: Instant(millis: 1_764_086_400_000),
            open: Price(micros: 672_410_000),
            high: Price(micros: 672_450_000),
            low: Price(micros: 672_400_000),
            close: Price(micros: 672_440_000),
            volume: Size(shares: 51_230),
            vwap: Price(micros: 672_427_100)
        )
        #expect(bench.decode(Examples.bar).map(\.event) == [.bar(bar)])
        for frame in [Examples.status, Examples.error, Examples.heartbeat, Examples.gap, Examples.pong] {
            #expect(bench.decode(frame).isEmpty)
        }
        #expect(
            bench.decoder.takeNotices() == [
                .status(
                    .degraded,
                    code: 2103,
                    words: "market data farm broken, usfarm",
                    staleKeys: ["STK:SPY:SMART:USD"]
                ),
                .error(code: 10_197, message: "competing live session", key: "STK:SPY:SMART:USD"),
                .heartbeat(.up, dropped: 0), .gap(keys: ["STK:SPY:SMART:USD"]), .pong(id: "p42"),
            ]
        )
        let counters = bench.decoder.counters
        #expect(counters.malformed == 0 && counters.brokenFrames == 0 && counters.holes == 0 && counters.unknown == 0)
        #expect(counters.frames == 12 && key.flatMap { bench.decoder.book($0) } == nil)
    }

    @Test func changesMergeIntoWholeQuotes() {
        var bench = BridgeBench()
        bench.hello()
        // Half a quote is none.
        #expect(bench.send("q", "\(spy),\"b\":5.00,\"bs\":1").isEmpty && bench.decoder.counters.unbased == 1)
        #expect(bench.send("q", "\(spy),\"a\":5.02,\"as\":2") == [quote(500, 1, 502, 2, at: time(3))])
        #expect(
            bench.send("snap", "\(spy),\"b\":5.01,\"bs\":3,\"a\":5.03,\"as\":4") == [quote(501, 3, 503, 4, at: time(4))]
        )
        #expect(bench.send("q", "\(spy),\"as\":9") == [quote(501, 3, 503, 9, at: time(5))])
        // Nothing of level one changed.
        #expect(bench.send("q", "\(spy),\"l\":5.02,\"v\":7").isEmpty)
        #expect(bench.send("q", "\(spy),\"b\":null") == [quote(0, 0, 503, 9, at: time(7))])
        #expect(bench.send("q", "\(spy),\"b\":5.00,\"bs\":6") == [quote(500, 6, 503, 9, at: time(8))])
        #expect(bench.send("q", "\(spy),\"a\":-1,\"as\":0") == [quote(500, 6, 0, 0, at: time(9))])
        #expect(bench.send("q", "\(spy),\"bs\":0") == [quote(0, 0, 0, 0, at: time(10))])
        // A snapshot has all that there is.
        #expect(bench.send("snap", "\(spy),\"b\":5.01") == [quote(501, 0, 0, 0, at: time(11))])
        #expect(bench.decoder.counters.malformed == 0)
    }

    @Test(arguments: [
        ("gap", #""from":4,"to":6,"ks":["STK:SPY:SMART:USD"]"#, 3), ("gap", #""from":4,"to":6,"ks":[]"#, 3),
        ("st", #""ib":"degraded","stale_ks":["STK:SPY:SMART:USD"]"#, 0), ("pong", #""id":"x""#, 5),
        ("st", #""ib":"up","epoch":"e2""#, 0), ("st", #""ib":"down""#, 0), ("hb", #""ib":"login""#, 0),
        ("q", #""k":"STK:SPY:SMART:USD","b":{}"#, 0),
    ])
    func whatWasLostVoidsTheQuoteUntilTheNextSnapshot(ev: String, fields: String, skipped: Int) {
        var bench = BridgeBench()
        bench.hello()
        _ = bench.send("snap", "\(spy),\"b\":5.00,\"bs\":1,\"a\":5.02,\"as\":2")
        _ = bench.send("book", "\(spy),\"b\":[[5,1]],\"a\":[]")
        #expect(key.flatMap { bench.decoder.book($0) } != nil)
        bench.number += skipped
        #expect(bench.send(ev, fields).isEmpty)
        #expect(bench.send("q", "\(spy),\"b\":5.01").isEmpty)
        #expect(key.flatMap { bench.decoder.book($0) } == nil)
        let number = bench.number
        #expect(
            bench.send("snap", "\(spy),\"b\":5.01,\"bs\":3,\"a\":5.03,\"as\":4") == [
                quote(501, 3, 503, 4, at: time(number))
            ]
        )
    }

    @Test func aHoleIsReportedOnceEach() {
        var bench = BridgeBench()
        bench.hello()
        bench.number = 4
        _ = bench.send("pong", #""id":"a""#)
        // A gap that doesn't say which numbers it means is a hole too, and so is a number that was there.
        bench.number = 9
        _ = bench.send("gap", #""from":6,"to":8,"ks":[]"#)
        bench.number = 9
        _ = bench.send("pong", #""id":"b""#)
        _ = bench.send("pong", #""id":"c""#)
        let holes = bench.decoder.takeNotices().filter { if case .hole = $0 { true } else { false } }
        #expect(holes == [.hole(expected: 2, got: 4), .hole(expected: 5, got: 9), .hole(expected: 10, got: 9)])
        #expect(bench.decoder.counters.holes == 3)
    }

    @Test func aHelloBeginsAnew() {
        var bench = BridgeBench()
        bench.hello()
        _ = bench.send("snap", #""k":"STK:QQQ:SMART:USD","b":5.00,"bs":1,"a":5.02,"as":2"#)
        _ = bench.send("snap", "\(spy),\"b\":5.00,\"bs\":1,\"a\":5.02,\"as\":2")
        bench.number = 1
        // Even one that can't be read: the numbers begin anew, and so do the keys.
        _ = bench.send("hello", #""v":"x""#)
        #expect(bench.send("q", "\(spy),\"b\":5.01").isEmpty)
        let again = bench.decode(#"[{"ev":"snap","n":3,"tb":1764086400000003,"k":"STK:SPY:SMART:USD","b":5,"a":6}]"#)
        #expect(again.map(\.symbol) == ["SPY"] && bench.decoder.counters.holes == 0)
    }

    @Test func haltsComeByTheirField() {
        var bench = BridgeBench()
        bench.hello()
        func halt(_ isHalted: Bool, _ reason: String, _ number: Int) -> MarketEvent {
            .halt(Halt(symbol: none, isHalted: isHalted, time: time(number), reason: Halt.pack(reason.utf8)))
        }
        #expect(bench.send("snap", "\(spy),\"b\":5,\"a\":6,\"hlt\":0").first == halt(false, "", 2))
        #expect(bench.send("q", "\(spy),\"hlt\":0").isEmpty && bench.send("q", "\(spy),\"hlt\":-1").isEmpty)
        #expect(bench.send("q", "\(spy),\"hlt\":2") == [halt(true, "VOL", 5)])
        #expect(bench.send("q", "\(spy),\"hlt\":1") == [halt(true, "HALT", 6)])
        #expect(bench.send("q", "\(spy),\"hlt\":0,\"b\":5").count == 2)
    }

    @Test func whatIsNotLiveIsNoEvent() {
        var bench = BridgeBench()
        bench.hello()
        #expect(bench.send("snap", "\(spy),\"b\":5,\"a\":6,\"mdt\":3").isEmpty)
        #expect(bench.send("q", "\(spy),\"b\":5.5").isEmpty && bench.send("t", "\(spy),\"p\":5,\"s\":1").isEmpty)
        #expect(bench.decoder.counters.notLive == 3)
        #expect(bench.send("q", "\(spy),\"b\":5,\"mdt\":1").count == 1)
    }

    @Test func anIndexHasValuesAndAFutureNoSymbol() {
        var bench = BridgeBench()
        bench.hello()
        let spx = #""k":"IND:SPX:CBOE:USD""#
        func value(_ micros: Int64, _ time: Instant) -> MarketEvent {
            .indexValue(PublishedValue(symbol: none, time: time, value: Price(micros: micros)))
        }
        #expect(bench.send("snap", "\(spx),\"b\":-1,\"a\":-1,\"l\":6723.55") == [value(6_723_550_000, time(2))])
        #expect(bench.send("t", "\(spx),\"p\":6724.01") == [value(6_724_010_000, time(3))])
        #expect(bench.send("b5", "\(spx),\"t0\":1764086400,\"o\":1,\"h\":2,\"lo\":1,\"c\":2,\"v\":-1").count == 1)
        #expect(bench.send("t", #""k":"FUT:ES:202512:CME:USD","p":1,"s":1"#).isEmpty)
        #expect(bench.decoder.counters.unmapped == 1 && bench.decoder.counters.malformed == 0)
        #expect(bench.send("b5", "\(spx),\"t0\":1764086400,\"o\":1,\"h\":2,\"lo\":1,\"c\":2,\"what\":\"BID\"").isEmpty)
        #expect(bench.decoder.counters.quoteBars == 1)
        #expect(bench.send("t", "\(spy),\"p\":0,\"s\":1").isEmpty && bench.decoder.counters.unpriced == 1)
    }

    @Test func whatIsMalformedIsCountedAndTheRestGoesOn() {
        var bench = BridgeBench()
        let frame = """
            [{"ev":"hello","n":1,"tb":1,"v":1,"epoch":"e"},{"ev":"t","n":2,"tb":1,"k":"STK:A:SMART:USD","p":"x"},7,
            {"n":3},{"ev":"t","n":0},{"ev":"t","n":3,"tb":1764086400000000,"k":"STK:A:SMART:USD","p":"1.5","s":2},
            {"ev":"novel","n":4,"tb":1},{"ev":"pong","n":5,"tb":1}]
            """
        #expect(bench.decode(frame).count == 1)
        let counters = bench.decoder.counters
        #expect(counters.malformed(.trade) == 1 && counters.malformed(.none) == 3 && counters.unknown == 1)
        #expect(counters.holes == 0 && counters.events(.pong) == 1 && counters.events(.hello) == 1)
        for broken in ["", "{}", "[", "[{}", "[{\"ev\":\"pong\",\"n\":6},", "[]x"] {
            #expect(bench.decode(broken).isEmpty)
        }
        #expect(bench.decoder.counters.brokenFrames == 6)
    }

    @Test func noticesAndKeysAreBounded() {
        var bench = BridgeBench()
        bench.hello()
        for _ in 0..<1_000 { _ = bench.send("pong", #""id":"a""#) }
        #expect(bench.decoder.takeNotices().count == BridgeDecoder.noticesMax)
        for index in 0..<5_000 { _ = bench.send("t", "\"k\":\"STK:S\(index):SMART:USD\",\"p\":1,\"s\":1") }
        #expect(bench.decoder.counters.malformed(.symbolLimit) == 5_000 - 4_096)
    }

    // MARK: Keys

    @Test(arguments: [
        ("STK:SPY:SMART:USD", "SPY"), ("IND:SPX:CBOE:USD", "I:SPX"), ("IND:NDX:NASDAQ:USD", "I:NDX"),
        ("OPT:SPXW:20251219:6500:C:SMART:USD", "O:SPXW251219C06500000"),
        ("OPT:SPY:20251219:650.5:P:SMART:USD", "O:SPY251219P00650500"), ("STK:BRK B:SMART:USD", "BRK.B"),
    ])
    func keysAndSymbolsAreEachOthers(text: String, symbol: String) {
        #expect(BridgeKey(text)?.symbol == symbol)
        #expect(BridgeKey(symbol: symbol)?.text == text)
    }

    @Test(arguments: [
        "", "STK", "STK:SPY:SMART", "STK:S\"Y:SMART:USD", "OPT:SPY:20251219:6500.00001:C:SMART:USD",
        "OPT:SPY:20251219:0:C:SMART:USD", "OPT:SPY:20251219:100000:C:SMART:USD", "OPT:SPY:2025121:1:C:SMART:USD",
        "OPT:SPY:20251219:1:X:SMART:USD", "STK::SMART:USD", "STK:A:B:C:D", "BND:X:SMART:USD",
    ])
    func noKeys(text: String) { #expect(BridgeKey(text) == nil) }

    @Test func aSymbolThatIsNoneHasNoKey() {
        for symbol in ["", "*", "O:SPY", "A B"] { #expect(BridgeKey(symbol: symbol) == nil) }
        #expect(BridgeKey("FUT:ES:202512:CME:USD")?.symbol == nil && BridgeKey("FUT:ES:202512:CME:USD") != nil)
    }
}
