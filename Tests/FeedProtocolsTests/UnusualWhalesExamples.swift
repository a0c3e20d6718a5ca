import FeedProtocols
import MarketData
import Primitives

/// The examples of feeds.md 3, made by us in the documented form.
enum UnusualWhalesExamples {
    static let trade =
        #"["option_trades:SPY",{"id":"a4dc6020-0611-4c23-b0bc-99944c7348ab","underlying_symbol":"SPY","executed_at":1764086400412,"nbbo_bid":"1.53","nbbo_ask":"1.55","size":25,"price":"1.55","option_symbol":"SPY251219C00650000","created_at":1764086400461,"report_flags":[],"tags":["ask_side","bullish","etf"],"expiry":"2025-12-19","option_type":"call","open_interest":4100,"strike":"650.0000000000","premium":"3875.00","volume":1050,"underlying_price":"648.92","ewma_nbbo_ask":"1.55","ewma_nbbo_bid":"1.53","implied_volatility":"0.1264","delta":"0.4413","theta":"-0.41","gamma":"0.031","vega":"0.19","rho":"0.02","theo":"1.54","trade_code":"auto","exchange":"XCBO","ask_vol":600,"bid_vol":400,"no_side_vol":0,"mid_vol":50,"multi_vol":120,"stock_multi_vol":0}]"#

    static let alert =
        #"["flow-alerts",{"id":"29ed5829-e4ce-4934-876b-51985d2f9b70","rule_id":"5ce5ec11-087c-4c00-b164-08106b015856","rule_name":"RepeatedHits","ticker":"SPY","option_chain":"SPY251219C00650000","underlying_price":648.9,"volume":1060,"total_size":500,"total_premium":77500,"total_ask_side_prem":70000.0,"total_bid_side_prem":0,"start_time":1764086400100,"end_time":1764086400412,"url":"","price":1.55,"has_multileg":false,"has_sweep":true,"has_floor":false,"open_interest":4100,"all_opening_trades":false,"has_singleleg":true,"volume_oi_ratio":0.0,"trade_ids":["417f0cd6-09ae-4d43-8542-38557bb713aa"],"trade_count":1,"expiry_count":1,"executed_at":1764086400412,"ask_vol":52,"bid_vol":49,"no_side_vol":0,"mid_vol":5,"multi_vol":0,"stock_multi_vol":0,"upstream_condition_details":["auto"],"exchanges":["XCBO"],"bid":"1.53","ask":"1.55"}]"#

    static let price = #"["price:SPY",{"close":"648.92","time":1764086400000,"vol":6015555}]"#

    static let news =
        #"["news",{"headline":"US Energy Secretary foresees more LNG deals","timestamp":"2025-06-11T21:40:56Z","source":"social-media","tickers":[],"is_trump_ts":false}]"#

    static let gex =
        #"["gex:SPY",{"ticker":"SPY","timestamp":1764086400000,"gamma_per_one_percent_move_oi":"-262444980.31","delta_per_one_percent_move_oi":"","charm_per_one_percent_move_oi":"-1677926539943.05","vanna_per_one_percent_move_oi":"2842602508.57","price":"648.92","gamma_per_one_percent_move_vol":"-934307209.58","delta_per_one_percent_move_vol":"","charm_per_one_percent_move_vol":"-556207588704.10","vanna_per_one_percent_move_vol":"128814703.59","gamma_per_one_percent_move_dir":"-9372185.61","charm_per_one_percent_move_dir":"-2055997560.50","vanna_per_one_percent_move_dir":"-6220855.09"}]"#

    static let offLit =
        #"["off_lit_trades",{"symbol":"AAPL","price":"150.25","type":"off_lit","size":100,"volume":1000,"trade_settlement":"regular","trade_code":null,"ext_hour_sold_codes":"extended_hours_trade","sale_cond_codes":null,"executed_at":"2024-09-22T14:30:00Z","nbbo_bid":"150.20","nbbo_ask":"150.25","nbbo_bid_quantity":500,"nbbo_ask_quantity":800,"sector":"Technology","next_earnings_date":"2024-10-25","avg30_volume":"75000000.0","issue_type":"Common Stock","marketcap":"2400000000000.0"}]"#

    static let strike =
        #"["gex_strike_expiry:SPY",{"ticker":"SPY","timestamp":1764086400000,"price":"648.92","strike":"650.0000000000","expiry":"2025-12-19","call_gamma_oi":"1.5","put_gamma_oi":"-2.25","call_delta_oi":0,"call_vanna_bid_vol":"0.0012","put_charm_ask_vol":"","put_vanna_vol":"-1.5e3"}]"#

    static let halt =
        #"["trading_halts",{"ticker":"ABCD","state":"halted","reason":"LUDP","halted_at":"2025-11-25T16:00:00.5Z"}]"#

    static let acknowledgement = #"["option_trades:SPY",{"response":{},"status":"ok"}]"#
}

/// A decoder with its table and batch.
struct UnusualWhalesBench: ~Copyable {
    var decoder = UnusualWhalesDecoder()
    var symbols = SymbolTable()
    var batch = DecodedBatch()

    /// Decodes one frame and gives its events, symbols by text.
    mutating func decode(_ frame: [UInt8], received: Instant? = nil) -> [(event: MarketEvent, symbol: String)] {
        batch.removeAll()
        frame.withUnsafeBytes { decoder.decode($0, symbols: &symbols, into: &batch, received: received) }
        return (0..<batch.count).map { (anonymous(batch[$0]), symbols.instrument(batch[$0].symbol).symbol) }
    }

    mutating func decode(_ frame: String, received: Instant? = nil) -> [(event: MarketEvent, symbol: String)] {
        decode(Array(frame.utf8), received: received)
    }
}

/// What a frame says in full.
func records(_ frame: String) -> [UnusualWhalesRecord] {
    Array(frame.utf8).withUnsafeBytes { UnusualWhalesDecoder.records($0) }
}
