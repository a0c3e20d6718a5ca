import FeedProtocols
import MarketData
import Primitives
import Testing

/// A decoder with its table and batch, as the feed loop holds them.
struct DecoderBench: ~Copyable {
    var decoder: PolygonDecoder
    var symbols = SymbolTable()
    var batch = DecodedBatch()

    init(usesFastPath: Bool = true) { decoder = PolygonDecoder(usesFastPath: usesFastPath) }

    /// Decodes one frame and gives its events, symbols by text.
    mutating func decode(_ frame: [UInt8]) -> [(event: MarketEvent, symbol: String)] {
        batch.removeAll()
        frame.withUnsafeBytes { decoder.decode($0, symbols: &symbols, into: &batch) }
        return (0..<batch.count).map { (anonymous(batch[$0]), symbols.instrument(batch[$0].symbol).symbol) }
    }

    mutating func decode(_ frame: String) -> [(event: MarketEvent, symbol: String)] { decode(Array(frame.utf8)) }
}

/// The event with symbol id 0.
func anonymous(_ event: MarketEvent) -> MarketEvent {
    let none = SymbolID(index: 0)
    func set<Value>(_ value: Value, _ path: WritableKeyPath<Value, SymbolID>) -> Value {
        var value = value
        value[keyPath: path] = none
        return value
    }
    return switch event {
    case .trade(let event): .trade(set(event, \.symbol))
    case .quote(let event): .quote(set(event, \.symbol))
    case .bar(let event): .bar(set(event, \.symbol))
    case .priceBands(let event): .priceBands(set(event, \.symbol))
    case .imbalance(let event): .imbalance(set(event, \.symbol))
    case .indexValue(let event): .indexValue(set(event, \.symbol))
    case .fairValue(let event): .fairValue(set(event, \.symbol))
    case .flowAlert(let event): .flowAlert(set(event, \.symbol))
    case .halt(let event): .halt(set(event, \.symbol))
    }
}

func conditions(_ ids: Int64...) -> Conditions {
    var conditions = Conditions()
    for id in ids { _ = conditions.insert(id) }
    return conditions
}

func fnv(_ text: String) -> UInt64 {
    text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
}

@Suite struct PolygonDecoderTests {
    static let none = SymbolID(index: 0)

    /// The examples of feeds.md 1.5 (made by us in the documented form) and what they say.
    static let examples: [(frame: String, symbol: String, event: MarketEvent)] = [
        (
            #"[{"ev":"T","sym":"SPY","x":4,"i":"52983525","z":2,"p":672.415,"s":100,"ds":"100.0","c":[14,41],"t":1764086400123,"q":3681328,"trfi":202,"trft":1764086400120}]"#,
            "SPY",
            .trade(
                Trade(
                    symbol: none,
                    exchange: 4,
                    tape: 2,
                    facility: 202,
                    time: Instant(millis: 1_764_086_400_123),
                    sequence: 3_681_328,
                    price: Price(micros: 672_415_000),
                    size: Size(shares: 100),
                    conditions: conditions(14, 41),
                    idHash: fnv("52983525")
                )
            )
        ),
        (
            #"[{"ev":"Q","sym":"SPY","bx":11,"bp":672.41,"bs":400,"ax":12,"ap":672.42,"as":1200,"c":0,"i":[604],"t":1764086400125,"q":50385480,"z":2}]"#,
            "SPY",
            .quote(
                Quote(
                    symbol: none,
                    bidExchange: 11,
                    askExchange: 12,
                    time: Instant(millis: 1_764_086_400_125),
                    sequence: 50_385_480,
                    bid: Price(micros: 672_410_000),
                    ask: Price(micros: 672_420_000),
                    bidSize: Size(shares: 400),
                    askSize: Size(shares: 1200),
                    condition: 0,
                    tape: 2
                )
            )
        ),
        (
            #"[{"ev":"AM","sym":"SPY","v":4110,"dv":"4110.5","av":9470157,"dav":"9470157.125","op":671.1,"vw":672.4012,"o":672.39,"c":672.42,"h":672.5,"l":672.3,"a":671.93,"z":68,"s":1764086400000,"e":1764086460000}]"#,
            "SPY",
            .bar(
                Bar(
                    symbol: none,
                    seconds: 60,
                    start: Instant(millis: 1_764_086_400_000),
                    open: Price(micros: 672_390_000),
                    high: Price(micros: 672_500_000),
                    low: Price(micros: 672_300_000),
                    close: Price(micros: 672_420_000),
                    volume: Size(micros: 4_110_500_000),
                    vwap: Price(micros: 672_401_200),
                    dayVolume: Size(micros: 9_470_157_125_000)
                )
            )
        ),
        (
            #"[{"ev":"LULD","T":"MSFT","h":518.96,"l":498.11,"i":[21],"z":3,"t":1764086446310003385,"q":290317}]"#,
            "MSFT",
            .priceBands(
                PriceBands(
                    symbol: none,
                    tape: 3,
                    time: Instant(nanos: 1_764_086_446_310_003_385),
                    sequence: 290_317,
                    upper: Price(micros: 518_960_000),
                    lower: Price(micros: 498_110_000),
                    indicators: conditions(21)
                )
            )
        ),
        (
            #"[{"ev":"NOI","T":"IBM","t":1764086446310003385,"at":1600,"a":"C","i":44,"x":10,"o":48000,"p":440000,"b":225.03}]"#,
            "IBM",
            .imbalance(
                Imbalance(
                    symbol: none,
                    exchange: 10,
                    auction: UInt8(ascii: "C"),
                    auctionTime: 1600,
                    time: Instant(nanos: 1_764_086_446_310_003_385),
                    sequence: 44,
                    imbalance: Size(shares: 48_000),
                    paired: Size(shares: 440_000),
                    clearingPrice: Price(micros: 225_030_000)
                )
            )
        ),
        (
            #"[{"ev":"T","sym":"O:SPY251219C00650000","x":302,"p":1.54,"s":5,"c":[232],"t":1764086400333,"q":651921857}]"#,
            "O:SPY251219C00650000",
            .trade(
                Trade(
                    symbol: none,
                    exchange: 302,
                    time: Instant(millis: 1_764_086_400_333),
                    sequence: 651_921_857,
                    price: Price(micros: 1_540_000),
                    size: Size(shares: 5),
                    conditions: conditions(232)
                )
            )
        ),
        (
            #"[{"ev":"Q","sym":"O:SPY251219C00650000","bx":302,"bp":1.53,"bs":17,"ax":316,"ap":1.55,"as":24,"t":1764086400351,"q":844090872}]"#,
            "O:SPY251219C00650000",
            .quote(
                Quote(
                    symbol: none,
                    bidExchange: 302,
                    askExchange: 316,
                    time: Instant(millis: 1_764_086_400_351),
                    sequence: 844_090_872,
                    bid: Price(micros: 1_530_000),
                    ask: Price(micros: 1_550_000),
                    bidSize: Size(shares: 17),
                    askSize: Size(shares: 24)
                )
            )
        ),
        (
            #"[{"ev":"V","val":6723.55,"T":"I:SPX","t":1764086400130}]"#, "I:SPX",
            .indexValue(
                PublishedValue(
                    symbol: none,
                    time: Instant(millis: 1_764_086_400_130),
                    value: Price(micros: 6_723_550_000)
                )
            )
        ),
        (
            #"[{"ev":"FMV","fmv":1.2345678,"sym":"SPY","t":1764086400130000000}]"#, "SPY",
            .fairValue(
                PublishedValue(symbol: none, time: Instant(millis: 1_764_086_400_130), value: Price(micros: 1_234_568))
            )
        ),
    ]

    @Test func readsEveryDocumentedExample() {
        for usesFastPath in [true, false] {
            for example in Self.examples {
                var bench = DecoderBench(usesFastPath: usesFastPath)
                // Twice: the first sight of a symbol takes the general path.
                for _ in 0..<2 {
                    let decoded = bench.decode(example.frame)
                    #expect(decoded.count == 1, "\(example.frame)")
                    #expect(decoded.first?.event == example.event, "\(example.frame)")
                    #expect(decoded.first?.symbol == example.symbol)
                }
                #expect(bench.decoder.counters.malformed == 0)
            }
        }
    }

    @Test func readsTheMixedFrame() {
        let frame = """
            [{"ev":"T","sym":"SPY","x":11,"i":"71","z":2,"p":672.42,"s":0,"ds":"0.375000","c":[37,41],"t":1764086400001,"q":91},\
            {"ev":"T","sym":"SPY","x":4,"i":"72","z":2,"p":672.4199,"s":5000,"c":[2],"t":1764086400001,"q":93,"trfi":202,\
            "trft":1764086399990},\
            {"ev":"Q","sym":"QQQ","bx":12,"bp":605.115,"bs":200,"ax":8,"ap":605.12,"as":100,"c":0,"t":1764086400002,"q":55,"z":3},\
            {"ev":"status","status":"success","message":"subscribed to: LULD.SPY"},{"ev":"ZZ","unknown":{"a":[1,2,{"b":null}]}}]
            """
        var bench = DecoderBench()
        for round in 1...2 {
            let decoded = bench.decode(frame)
            #expect(decoded.count == 3)
            guard case .trade(let first) = decoded[0].event, case .trade(let second) = decoded[1].event,
                case .quote(let quote) = decoded[2].event
            else {
                Issue.record("kinds or order differ")
                return
            }
            #expect(first.size == Size(micros: 375_000))
            #expect(first.conditions == conditions(37, 41))
            #expect(second.price == Price(micros: 672_419_900))
            #expect(second.size == Size(shares: 5000))
            #expect(second.facility == 202)
            #expect(quote.bid == Price(micros: 605_115_000))
            #expect(bench.batch.statuses == [ProviderStatus(status: "success", message: "subscribed to: LULD.SPY")])
            #expect(bench.decoder.counters.unknown == UInt64(round))
            #expect(bench.decoder.counters.malformed == 0)
        }
    }

    /// Fields in, and what is wrong with them.
    static let refusals: [(fields: String, reason: MalformedReason)] = [
        (#""ev":"T","sym":"A","p":0,"s":1,"t":1764086400001"#, .range),
        (#""ev":"T","sym":"A","p":-1.5,"s":1,"t":1764086400001"#, .range),
        (#""ev":"T","sym":"A","p":1.0000001,"s":1,"t":1764086400001"#, .inexact),
        (#""ev":"T","sym":"A","p":1,"s":-1,"t":1764086400001"#, .range),
        (#""ev":"T","sym":"A","p":1,"t":1764086400001"#, .missing),
        (#""ev":"T","sym":"A","s":1,"t":1764086400001"#, .missing),
        (#""ev":"T","sym":"A","p":1,"s":1"#, .missing),
        (#""ev":"T","p":1,"s":1,"t":1764086400001"#, .missing),
        (#""ev":"T","sym":"A B","p":1,"s":1,"t":1764086400001"#, .symbol),
        (#""ev":"T","sym":"O:SPY","p":1,"s":1,"t":1764086400001"#, .symbol),
        (#""ev":"T","sym":"A","p":true,"s":1,"t":1764086400001"#, .type),
        (#""ev":"T","sym":"A","p":"abc","s":1,"t":1764086400001"#, .type),
        (#""ev":"T","sym":"A","p":1,"s":1,"c":[1,2,3,4,5,6,7,8,9],"t":1764086400001"#, .conditions),
        (#""ev":"T","sym":"A","p":1,"s":1,"c":[1,"x"],"t":1764086400001"#, .type),
        (#""ev":"T","sym":"A","p":1,"s":1,"x":70000,"t":1764086400001"#, .range),
        (#""ev":"T","sym":"A","p":99999999999999,"s":1,"t":1764086400001"#, .range),
        (#""ev":"T","sym":"A","p":1,"s":1,"t":1764086400001.5"#, .inexact),
        (#""ev":"Q","sym":"A","bp":-1,"bs":1,"ap":2,"as":1,"t":1764086400001"#, .range),
        (#""ev":"Q","sym":"A","bp":1.00000049,"ap":2,"t":1764086400001"#, .inexact),
        (#""ev":"AM","sym":"A","o":1,"h":1,"l":0,"c":1,"s":1764086400000"#, .range),
        (#""sym":"A","p":1"#, .missing),
        (#""ev":7,"sym":"A""#, .type),
        (#""ev":"T","sym":"A","p":01,"s":1,"t":1764086400001"#, .syntax),
        (#""ev":"T","sym":"A","p":1.,"s":1,"t":1764086400001"#, .syntax),
        (#""ev":"T","sym":"A","p":1,"s":1,"op":1.2.3,"t":1764086400001"#, .syntax),
        ("\"ev\":\"T\",\"sym\":\"A\",\"i\":\"a\u{1}b\",\"p\":1,\"s\":1,\"t\":1764086400001", .syntax),
    ]

    @Test func aMalformedEventIsCountedAndTheRestGoesOn() {
        let good = #"{"ev":"T","sym":"A","p":1,"s":1,"t":1764086400001}"#
        for usesFastPath in [true, false] {
            for refusal in Self.refusals {
                var bench = DecoderBench(usesFastPath: usesFastPath)
                let decoded = bench.decode("[\(good),{\(refusal.fields)},\(good)]")
                #expect(decoded.count == 2, "\(refusal)")
                #expect(bench.decoder.counters.malformed == 1, "\(refusal)")
                #expect(bench.decoder.counters.malformed(refusal.reason) == 1, "\(refusal)")
                #expect(bench.decoder.counters.brokenFrames == 0, "\(refusal)")
            }
        }
    }

    /// The same trade in other clothes.
    static let clothes = [
        #"{"ev":"T","sym":"A","p":12.5,"s":3,"t":1764086400001,"q":7}"#,
        #"{"sym":"A","p":12.5,"s":3,"t":1764086400001,"q":7,"ev":"T"}"#,
        #"{"q":7,"t":1764086400001,"s":3,"p":12.5,"ev":"T","sym":"A"}"#,
        #" { "ev" : "T" , "sym" : "A" , "p" : 12.5 , "s" : 3 , "t" : 1764086400001 , "q" : 7 } "#,
        #"{"ev":"T","sym":"A","p":"12.5","s":"3","t":"1764086400001","q":"7"}"#,
        #"{"ev":"T","sym":"A","p":1.25e1,"s":3.0,"t":1.764086400001e12,"q":7.000}"#,
        #"{"\u0065v":"\u0054","sym":"\u0041","p":12.5,"s":3,"t":1764086400001,"q":7}"#,
        #"{"ev":"T","sym":"A","p":12.5,"s":9,"ds":"3","t":1764086400001,"q":7}"#,
        #"{"ev":"T","sym":"A","ds":"3.000000","p":12.5,"s":9,"t":1764086400001000,"q":7}"#,
        #"{"ev":"T","sym":"A","p":99,"p":12.5,"s":3,"t":1764086400001000000,"q":7}"#,
        #"{"ev":"T","sym":"A","p":"junk","p":12.5,"s":3,"t":1764086400001,"q":7,"otc":true}"#,
        #"{"ev":"Q","ev":"T","sym":"A","p":12.5,"s":3,"t":1764086400001,"q":7,"new":{"a":[{}]}}"#,
        #"{"ev":"T","sym":"A","x":-0,"z":-0.0e7,"p":0.125e+2,"s":3,"t":1764086400001,"q":7,"op":1e400}"#,
        #"{"ev":"T","sym":"A","c":null,"i":null,"p":12.5,"s":3,"t":1764086400001,"q":7,"c":[]}"#,
    ]

    @Test(arguments: [true, false])
    func theWayItIsWrittenDoesNotMatter(usesFastPath: Bool) {
        for text in Self.clothes {
            var bench = DecoderBench(usesFastPath: usesFastPath)
            _ = bench.symbols.intern("A")
            for frame in ["[\(text)]", text] {
                let decoded = bench.decode(frame)
                let expected = MarketEvent.trade(
                    Trade(
                        symbol: Self.none,
                        time: Instant(millis: 1_764_086_400_001),
                        sequence: 7,
                        price: Price(micros: 12_500_000),
                        size: Size(shares: 3)
                    )
                )
                #expect(decoded.first?.event == expected, "\(frame)")
                #expect(decoded.count == 1)
            }
        }
    }

    @Test func roundsAVwapHalfEven() {
        func vwap(_ text: String) -> Int64? {
            var bench = DecoderBench()
            let event = bench.decode(
                #"[{"ev":"AM","sym":"A","v":1,"vw":\#(text),"o":1,"h":1,"l":1,"c":1,"s":1764086400000}]"#
            ).first?.event
            guard case .bar(let bar)? = event else { return nil }
            return bar.vwap.micros
        }
        #expect(vwap("1.0000005") == 1_000_000)
        #expect(vwap("1.0000015") == 1_000_002)
        #expect(vwap("1.00000050000000000000000001") == 1_000_001)
        #expect(vwap("1.0000004999999999999999999999") == 1_000_000)
        #expect(vwap("0.00000000000000000000000000001") == 0)
    }

    @Test func anAbsentSideOfAQuoteIsZero() throws {
        var bench = DecoderBench()
        let decoded = bench.decode(#"[{"ev":"Q","sym":"A","ax":12,"ap":14.02,"as":5,"bs":3,"t":1381132800151}]"#)
        guard case .quote(let quote)? = decoded.first?.event else {
            Issue.record("no quote")
            return
        }
        #expect(quote.bid == .zero && quote.bidSize == .zero && quote.ask == Price(micros: 14_020_000))
    }

    @Test(arguments: ["", "[", "[{", "nonsense", "[{}", "[{}]x", "{}x", "[{},", "7", "[{]}", "\u{0}"])
    func aBrokenArrayEndsTheFrame(frame: String) {
        var bench = DecoderBench()
        #expect(bench.decode(frame).isEmpty)
        #expect(bench.decoder.counters.brokenFrames == 1)
        #expect(bench.decode(Self.examples[0].frame).count == 1)
    }

    @Test func aFullSymbolTableAndAnOversizedFrameAreCounted() {
        var decoder = PolygonDecoder(frameLimit: 200)
        var symbols = SymbolTable(limit: 1)
        var batch = DecodedBatch(capacity: 1)
        func trade(_ symbol: String) -> String { #"[{"ev":"T","sym":"\#(symbol)","p":1,"s":1,"t":1764086400001}]"# }
        for text in [trade("A"), trade("B"), trade("A"), trade("A") + String(repeating: " ", count: 200)] {
            let bytes = Array(text.utf8)
            bytes.withUnsafeBytes { decoder.decode($0, symbols: &symbols, into: &batch) }
        }
        #expect(batch.count == 2)
        #expect(symbols.refusedCount == 1)
        #expect(decoder.counters.malformed(.symbolLimit) == 1)
        #expect(decoder.counters.oversizedFrames == 1)
        #expect(decoder.counters.frames == 4)
    }

    @Test func aStatusIsCutToItsLimit() {
        var bench = DecoderBench()
        _ = bench.decode(#"[{"ev":"status","status":"error","message":"\#(String(repeating: "é", count: 400))"}]"#)
        #expect(bench.batch.statuses.first?.message == String(repeating: "é", count: 256))
    }
}
