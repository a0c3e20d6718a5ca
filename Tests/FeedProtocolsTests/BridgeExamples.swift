import FeedProtocols
import MarketData
import Primitives

/// The frames of feeds.md 4.3, made by us in the documented form.
enum BridgeExamples {
    static let hello =
        #"[{"ev":"hello","n":1,"tb":1764086400000000,"v":1,"epoch":"7f0c4b1e-7d8e-4c7e-9a56-0f4b1f6d2a11","ib":"up","limits":{"lines":100,"lines_used":0,"depth":3,"bars10m":60},"hb_ms":1000}]"#
    static let answers =
        #"[{"ev":"ack","n":2,"tb":1764086400002000,"id":"s1","ok":{"STK:SPY:SMART:USD":{"conid":756733,"minTick":0.01}}},{"ev":"nack","n":3,"tb":1764086400002100,"id":"s1","k":"STK:IWM:SMART:USD","code":309,"reason":"limit_depth"}]"#
    static let snapshot =
        #"[{"ev":"snap","n":4,"tb":1764086400105000,"k":"STK:SPY:SMART:USD","b":672.41,"a":672.42,"bs":400,"as":1200,"l":672.415,"ls":100,"v":40211345,"o":671.1,"h":673.0,"lo":670.2,"c":669.8,"mdt":1,"age_ms":40}]"#
    static let quoteAndTrade =
        #"[{"ev":"q","n":5,"tb":1764086400350000,"k":"STK:SPY:SMART:USD","b":672.42,"bs":300},{"ev":"t","n":6,"tb":1764086400350500,"k":"STK:SPY:SMART:USD","p":672.42,"s":200,"ti":1764086400}]"#
    static let depth =
        #"[{"ev":"d","n":7,"tb":1764086400351000,"k":"STK:SPY:SMART:USD","op":"i","sd":"b","pos":0,"p":672.42,"s":300,"mm":"ARCA"}]"#
    static let book =
        #"[{"ev":"book","n":8,"tb":1764086400400000,"k":"STK:SPY:SMART:USD","reset":true,"b":[[672.42,300,"ARCA"],[672.41,400,"NSDQ"]],"a":[[672.43,900,"BATS"]]}]"#
    static let bar =
        #"[{"ev":"b5","n":9,"tb":1764086405020000,"k":"STK:SPY:SMART:USD","t0":1764086400,"o":672.41,"h":672.45,"lo":672.4,"c":672.44,"v":51230,"vw":672.4271,"ct":412,"what":"TRADES"}]"#
    static let status =
        #"[{"ev":"st","n":10,"tb":1764086406000000,"ib":"degraded","code":2103,"farm":"usfarm","msg":"market data farm broken","stale_ks":["STK:SPY:SMART:USD"]}]"#
    static let error =
        #"[{"ev":"err","n":11,"tb":1764086406100000,"code":10197,"msg":"competing live session","k":"STK:SPY:SMART:USD"}]"#
    static let heartbeat =
        #"[{"ev":"hb","n":12,"tb":1764086407000000,"ib":"up","last_tick_us":1764086406990000,"lines_used":14,"q_depth":0,"dropped":0}]"#
    static let gap =
        #"[{"ev":"gap","n":20,"tb":1764086410000000,"from":13,"to":19,"why":"backpressure","ks":["STK:SPY:SMART:USD"]}]"#
    static let pong = #"[{"ev":"pong","n":21,"tb":1764086410000100,"id":"p42"}]"#

    static let all = [
        hello, answers, snapshot, quoteAndTrade, depth, book, bar, status, error, heartbeat, gap, pong,
    ]
}

/// A decoder with its table and batch.
struct BridgeBench: ~Copyable {
    var decoder = BridgeDecoder()
    var symbols = SymbolTable()
    var batch = DecodedBatch()
    /// The next number that `send` gives.
    var number = 1

    /// Decodes one frame and gives its events, symbols by text.
    mutating func decode(_ frame: [UInt8]) -> [(event: MarketEvent, symbol: String)] {
        batch.removeAll()
        frame.withUnsafeBytes { decoder.decode($0, symbols: &symbols, into: &batch) }
        return (0..<batch.count).map { (anonymous(batch[$0]), symbols.instrument(batch[$0].symbol).symbol) }
    }

    mutating func decode(_ frame: String) -> [(event: MarketEvent, symbol: String)] { decode(Array(frame.utf8)) }

    /// Decodes one event whose `ev` and fields are given, with the next number.
    mutating func send(_ ev: String, _ fields: String = "") -> [MarketEvent] {
        defer { number += 1 }
        let rest = fields.isEmpty ? "" : "," + fields
        return decode("[{\"ev\":\"\(ev)\",\"n\":\(number),\"tb\":\(1_764_086_400_000_000 + number)\(rest)}]").map(
            \.event
        )
    }

    mutating func hello() { _ = send("hello", #""v":1,"epoch":"e1","ib":"up""#) }
}
