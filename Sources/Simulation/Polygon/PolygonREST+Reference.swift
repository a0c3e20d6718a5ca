internal import MarketData
internal import Primitives
internal import Wire

// Conditions, exchanges, market status.
extension PolygonREST {
    private static let stockConditions: [(Int64, String)] = [
        (1, "Acquisition"), (2, "Average Price Trade"), (3, "Automatic Execution"), (4, "Bunched Trade"),
        (5, "Bunched Sold Trade"), (6, "CAP Election"), (7, "Cash Sale"), (8, "Closing Prints"), (9, "Cross Trade"),
        (10, "Derivatively Priced"), (11, "Distribution"), (12, "Form T/Extended Hours"),
        (13, "Extended Hours (Sold Out Of Sequence)"), (14, "Intermarket Sweep"),
        (15, "Market Center Official Close"), (16, "Market Center Official Open"), (17, "Market Center Opening Trade"),
        (18, "Market Center Reopening Trade"), (19, "Market Center Closing Trade"), (20, "Next Day"),
        (21, "Price Variation Trade"), (22, "Prior Reference Price"), (25, "Opening Prints"), (27, "Stopped Stock"),
        (28, "Re-Opening Prints"), (29, "Seller"), (30, "Sold Last"), (31, "Sold Last and Stopped Stock"),
        (32, "Sold (Out Of Sequence)"), (33, "Sold (Out of Sequence) and Stopped Stock"), (34, "Split Trade"),
        (35, "Stock Option Trade"), (36, "Yellow Flag Regular Trade"), (37, "Odd Lot Trade"),
        (38, "Corrected Consolidated Close"), (41, "Trade Thru Exempt"), (52, "Contingent Trade"),
        (53, "Qualified Contingent Trade"), (55, "Opening Reopening Trade Detail"),
    ]

    private static let optionConditions: [(Int64, String)] = [
        (201, "Canceled"), (202, "Late and Out Of Sequence"), (204, "Late"), (206, "Opening, Late and Out Of Sequence"),
        (208, "Opening and Late"), (209, "Automatic Execution"), (210, "Reopening Trade"),
        (219, "Intermarket Sweep Order"),
        (227, "Single Leg Auction Non ISO"), (228, "Single Leg Auction ISO"), (229, "Single Leg Cross Non ISO"),
        (230, "Single Leg Cross ISO"), (231, "Single Leg Floor Trade"), (232, "Multi Leg auto-electronic trade"),
        (233, "Multi Leg Auction"), (234, "Multi Leg Cross"), (235, "Multi Leg floor trade"),
        (236, "Multi Leg auto-electronic trade against single leg(s)"),
        (238, "Multi Leg Auction against single leg(s)"),
        (246, "Multi Leg Floor Trade of Proprietary Products"), (247, "Multilateral Compression Trade"),
        (248, "Extended Hours Trade"),
    ]

    func conditions(_ request: SimulatedRequest) -> SimulatedAnswer {
        let asset = request.argument("asset_class")
        let limit = min(1_000, max(1, request.argument("limit").flatMap(Int.init) ?? 10))
        var rows: [[UInt8]] = []
        for (name, kind, list) in [
            ("stocks", InstrumentKind.equity, Self.stockConditions), ("options", .option, Self.optionConditions),
        ] where asset == nil || asset == name {
            for (id, text) in list { rows.append(condition(id, text, name, kind)) }
        }
        return envelope(Array(rows.prefix(limit)), next: nil)
    }

    /// A condition with the rules that the model's own bars follow.
    private func condition(_ id: Int64, _ name: String, _ asset: String, _ kind: InstrumentKind) -> [UInt8] {
        var allowed = TradeRules().classify(ModelTrade.conditions(id), kind, in: .rth)
        // The vendor's own reading of the corrected close (feeds.md 1.6).
        if id == 38 { allowed = [.eligible, .last] }
        let rules =
            #"{"updates_high_low":\#(allowed.contains(.eligible)),"updates_open_close":\#(allowed.contains(.last)),"updates_volume":\#(allowed.contains(.counted))}"#
        var out: [UInt8] = []
        var object = JSONObject(&out)
        object.field("id", id as Int64?, to: &out)
        object.field("type", "sale_condition" as String?, to: &out)
        object.field("name", name as String?, to: &out)
        object.field("asset_class", asset as String?, to: &out)
        object.field("data_types", .array([.string("trade")]), to: &out)
        object.key("update_rules", to: &out)
        out.add(#"{"consolidated":\#(rules),"market_center":\#(rules)}"#)
        object.end(&out)
        return out
    }

    func exchanges(_ request: SimulatedRequest) -> SimulatedAnswer {
        let asset = request.argument("asset_class") ?? "stocks"
        let stocks: [(Int64, String, String)] = [
            (1, "NYSE American, LLC", "XASE"), (2, "Nasdaq OMX BX, Inc.", "XBOS"), (3, "NYSE National, Inc.", "XCIS"),
            (4, "FINRA Alternative Display Facility", "FINY"), (7, "Cboe EDGA", "EDGA"), (8, "Cboe EDGX", "EDGX"),
            (9, "NYSE Chicago, Inc.", "XCHI"), (10, "New York Stock Exchange", "XNYS"), (11, "NYSE Arca, Inc.", "ARCX"),
            (12, "Nasdaq", "XNAS"), (15, "Investors Exchange", "IEXG"), (18, "Cboe BYX", "BATY"),
            (19, "Cboe BZX", "BATS"),
            (20, "MIAX Pearl Equities", "EPRL"), (21, "Members Exchange", "MEMX"),
        ]
        let options: [(Int64, String, String)] = [
            (300, "NYSE American Options", "AMXO"), (301, "Boston Options Exchange", "XBOX"),
            (302, "Cboe Options", "XCBO"),
            (303, "MIAX Emerald", "EMLD"), (304, "Cboe EDGX Options", "EDGO"), (307, "Nasdaq GEMX", "GMNI"),
            (308, "Nasdaq ISE", "XISX"), (309, "Nasdaq MRX", "MCRY"), (312, "MIAX Options", "XMIO"),
            (313, "NYSE Arca Options", "ARCO"), (315, "MIAX Pearl", "MPRL"), (316, "Nasdaq Options Market", "XNDQ"),
            (319, "Nasdaq BX Options", "XBXO"), (322, "Cboe C2", "C2OX"), (323, "Nasdaq PHLX", "XPHO"),
            (325, "Cboe BZX Options", "BATO"),
        ]
        let rows = (asset == "options" ? options : stocks).map { id, name, mic -> [UInt8] in
            let type = id == 4 ? "TRF" : "exchange"
            return Array(
                #"{"id":\#(id),"type":"\#(type)","asset_class":"\#(asset)","locale":"us","name":"\#(name)","mic":"\#(mic)","operating_mic":"\#(mic)"}"#
                    .utf8
            )
        }
        return envelope(rows, next: nil)
    }

    func statusNow() -> SimulatedAnswer {
        let kind = SessionCalendar().session(at: model.now)
        let market = kind == .rth ? "open" : kind == .pre || kind == .post ? "extended-hours" : "closed"
        return SimulatedAnswer(
            status: 200,
            json:
                #"{"afterHours":\#(kind == .post),"currencies":{"crypto":"open","fx":"open"},"earlyHours":\#(kind == .pre),"exchanges":{"nasdaq":"\#(market)","nyse":"\#(market)","otc":"\#(kind == .rth ? "open" : "closed")"},"indicesGroups":{"s_and_p":"\#(kind == .rth ? "open" : "closed")","nasdaq":"\#(kind == .rth ? "open" : "closed")"},"market":"\#(market)","serverTime":"\#(serverTime)"}"#
        )
    }

    /// `2025-11-25T08:37:37-05:00`: New York's wall clock with its offset.
    private var serverTime: String {
        let (date, nanos) = NewYork.local(model.now)
        let seconds = nanos / 1_000_000_000
        func two(_ value: Int64) -> String { (value < 10 ? "0" : "") + String(value) }
        let offset = -NewYork.offsetSeconds(at: model.now) / 3_600
        return "\(date.text)T\(two(seconds / 3_600)):\(two(seconds / 60 % 60)):\(two(seconds % 60))-\(two(offset)):00"
    }

    /// A bare array: the closed and short days of the coming year, a row an exchange.
    func upcoming() -> SimulatedAnswer {
        let calendar = SessionCalendar()
        let today = NewYork.local(model.now).date
        var rows: [String] = []
        for offset in Int32(0)..<366 where rows.count < 40 {
            let date = today.adding(days: offset)
            guard date.weekday != 0, date.weekday != 6 else { continue }
            let kind = calendar.kind(of: date)
            guard kind != .full else { continue }
            for exchange in ["NYSE", "NASDAQ"] {
                var times = ""
                if kind == .early, let day = calendar.tradingDay(on: date) {
                    times = #","open":"\#(Self.utc(day.open))","close":"\#(Self.utc(day.close))""#
                }
                let status = kind == .early ? "early-close" : "closed"
                rows.append(
                    #"{"date":"\#(date.text)","exchange":"\#(exchange)","name":"\#(Self.name(date))","status":"\#(status)"\#(times)}"#
                )
            }
        }
        return SimulatedAnswer(status: 200, json: "[" + rows.joined(separator: ",") + "]")
    }

    private static func utc(_ instant: Instant) -> String {
        var out: [UInt8] = []
        InstantText.append(instant, to: &out)
        return String(decoding: out.dropLast(), as: UTF8.self) + ".000Z"
    }

    private static func name(_ date: CivilDate) -> String {
        let (_, month, _) = date.components
        let names = [
            1: "New Year's Day", 2: "Washington's Birthday", 3: "Good Friday", 4: "Good Friday", 5: "Memorial Day",
            6: "Juneteenth", 7: "Independence Day", 9: "Labor Day", 11: "Thanksgiving", 12: "Christmas",
        ]
        return names[Int(month)] ?? "Holiday"
    }
}
