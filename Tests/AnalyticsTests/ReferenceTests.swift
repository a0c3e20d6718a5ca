import Analytics
import Foundation
import MarketData
import Primitives
import Testing

/// One row of the reference's `checkpoints.csv`.
private struct ReferenceRow {
    var symbol: String
    var instant: Instant
    var at: String
    var columns: [String: Double]

    static func load(_ day: String, suffix: String = "") throws -> [ReferenceRow]? {
        guard let url = RecordedData.url("reference/checkpoints.csv") else { return nil }
        let lines = try String(contentsOf: url, encoding: .utf8).split(separator: "\n")
        let names = lines[0].split(separator: ",").map(String.init)
        let date = CivilDate(try #require(Int32(day.filter { $0 != "-" })))
        return lines.dropFirst().compactMap { line in
            let cells = line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            guard cells[0].hasSuffix(" " + day + suffix), let minute = NewYork.minutes(cells[1]) else { return nil }
            var columns: [String: Double] = [:]
            for (name, cell) in zip(names, cells).dropFirst(2) { columns[name] = Double(cell) }
            return ReferenceRow(
                symbol: String(cells[0].prefix { $0 != " " }),
                instant: NewYork.instant(date, hour: minute / 60, minute: minute % 60),
                at: cells[1],
                columns: columns
            )
        }
    }
}

/// Feeds a tape to one `UnderlyingAnalytics` per symbol as a core would, and reads the checkpoints asked for.
private struct TapeRun {
    var analytics: [String: UnderlyingAnalytics] = [:]
    var clock = SessionClock(SessionCalendar())
    let rules = TradeRules()
    var due: [String: [Instant]]
    var read: [String: [SymbolCheckpoint]] = [:]
    var tradeEvents: [String: Int] = [:]
    var revised = 0

    init(_ rows: [ReferenceRow]) {
        due = Dictionary(grouping: rows, by: \.symbol).mapValues { $0.map(\.instant).sorted() }
    }

    mutating func take(_ event: RecordedEvent) {
        let time = event.event.time
        var symbol = analytics[event.symbol] ?? UnderlyingAnalytics(kind: event.kind)
        analytics[event.symbol] = nil
        while let instant = due[event.symbol]?.first, time >= instant {
            due[event.symbol]?.removeFirst()
            read[event.symbol, default: []].append(symbol.checkpoint(at: instant))
        }
        while symbol.nextBoundary <= event.received { _ = symbol.fireNextBoundary() }
        let window = clock.window(at: time)
        switch event.event {
        case .trade(let trade):
            tradeEvents[event.symbol, default: 0] += 1
            let tradeClass = rules.classify(trade.conditions, .equity, in: window.kind)
            if symbol.traded(trade, as: tradeClass, in: window, received: event.received) != nil { revised += 1 }
        case .quote(let quote): symbol.quoted(quote, in: window, received: event.received)
        case .bar(let bar): symbol.barred(bar, in: window, received: event.received)
        case .indexValue(let value): symbol.valued(value, in: window, received: event.received)
        default: break
        }
        analytics[event.symbol] = symbol
    }

    mutating func finish() {
        for (symbol, instants) in due {
            for instant in instants {
                if let state = analytics[symbol] { read[symbol, default: []].append(state.checkpoint(at: instant)) }
            }
        }
        due = [:]
    }
}

/// Collects the greatest relative error a column and fails beyond the tolerance.
private struct Comparison {
    var worst: [String: Double] = [:]

    mutating func expect(_ column: String, _ found: Double?, _ wanted: Double?, within tolerance: Double, _ at: String)
    {
        guard let found, let wanted else {
            #expect(
                found == nil && wanted == nil,
                "\(at) \(column): \(String(describing: found)), wanted \(String(describing: wanted))"
            )
            return
        }
        let error = abs(found - wanted) / max(abs(wanted), 1e-12)
        worst[column] = max(worst[column] ?? 0, error)
        // The checkpoints are printed with nine decimals.
        let isNear = error <= tolerance || (tolerance > 0 && abs(found - wanted) <= 0.51e-9)
        #expect(isNear, "\(at) \(column): \(found), wanted \(wanted)")
    }

    func report(_ name: String) {
        let text = worst.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        print("\(name): greatest relative error: \(text)")
    }
}

@Suite struct ReferenceTests {
    @Test(arguments: [
        ("stocks_taq_2018-01-02.jsonl.zst", "2018-01-02"), ("stocks_2013-10-07.jsonl.zst", "2013-10-07"),
        ("stocks_2013-10-08.jsonl.zst", "2013-10-08"),
    ])
    func tradesAndQuotesGiveTheReference(file: String, day: String) throws {
        guard let url = RecordedData.url(file), let rows = try ReferenceRow.load(day) else { return }
        var run = TapeRun(rows)
        try RecordedTape.forEach(url) { run.take($0) }
        run.finish()
        var comparison = Comparison()
        for symbol in Set(rows.map(\.symbol)) {
            let found = try #require(run.read[symbol])
            for (row, state) in zip(rows.filter { $0.symbol == symbol }, found) {
                let at = "\(symbol) \(day) \(row.at)"
                #expect(row.instant == state.instant)
                comparison.expect("cumvol", state.cumVolume.shares, row.columns["cumvol"], within: 0, at)
                comparison.expect("vwap_elig", state.vwap, row.columns["vwap_elig"], within: 1e-6, at)
                comparison.expect("sigma_tick", state.sigma, row.columns["sigma_tick"], within: 1e-5, at)
                comparison.expect("atr14_wilder", state.atr14, row.columns["atr14_wilder"], within: 1e-6, at)
                comparison.expect("rv_session", state.rvSession, row.columns["rv_session"], within: 1e-6, at)
                comparison.expect("rv_30", state.rv30, row.columns["rv_30"], within: 1e-6, at)
                #expect(state.source == .trades)
            }
            try compareSession("\(symbol) \(day)", try #require(found.last), run.tradeEvents[symbol], &comparison)
            let counts = try #require(run.analytics[symbol]).bars.counts
            print("\(symbol) \(day): \(try #require(found.last).quotes) RTH quotes, \(counts)")
        }
        #expect(run.revised == 0)
        comparison.report(day)
    }

    private func compareSession(
        _ key: String,
        _ state: SymbolCheckpoint,
        _ tradeEvents: Int?,
        _ comparison: inout Comparison
    ) throws {
        let url = try #require(RecordedData.url("reference/session.json"))
        let json = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
        let sessions = try #require(json["sessions"] as? [String: [String: Any]])
        let wanted = try #require(sessions[key])
        func value(_ name: String) -> Double? { (wanted[name] as? NSNumber)?.doubleValue }
        comparison.expect("n_trades_file", tradeEvents.map(Double.init), value("n_trades_file"), within: 0, key)
        comparison.expect("n_trades_rth", Double(state.trades), value("n_trades_rth"), within: 0, key)
        comparison.expect("volume_all_rth", state.cumVolume.shares, value("volume_all_rth"), within: 0, key)
        comparison.expect("open", state.open?.dollars, value("open"), within: 0, key)
        comparison.expect("high", state.high?.dollars, value("high"), within: 0, key)
        comparison.expect("low", state.low?.dollars, value("low"), within: 0, key)
        comparison.expect("last", state.last?.dollars, value("last"), within: 0, key)
        comparison.expect("twas", state.twas, value("twas"), within: 1e-6, key)
        comparison.expect("locked", state.lockedShare, value("locked"), within: 1e-6, key)
        comparison.expect("crossed", state.crossedShare, value("crossed"), within: 1e-6, key)
    }

    @Test func barsAloneGiveTheReference() throws {
        guard let url = RecordedData.url("minutes_SPY_2025-07.jsonl.zst") else { return }
        let days = ["01", "02", "03", "07", "08", "09", "10", "11", "14", "15"].map { "2025-07-" + $0 }
        var rows: [ReferenceRow] = []
        for day in days { rows += try ReferenceRow.load(day, suffix: " (minute bars)") ?? [] }
        // The 3rd closed at 13:00.
        rows.removeAll { $0.instant > SessionCalendar().tradingDay(at: $0.instant).close }
        try #require(!rows.isEmpty)
        var run = TapeRun(rows)
        try RecordedTape.forEach(url) { run.take($0) }
        run.finish()
        var comparison = Comparison()
        let found = try #require(run.read["SPY"])
        #expect(found.count == rows.count)
        for (row, state) in zip(rows, found) {
            let at = "SPY \(state.date) \(row.at)"
            #expect(state.source == .bars)
            comparison.expect("cumvol", state.cumVolume.shares, row.columns["cumvol"], within: 0, at)
            comparison.expect("vwap_bar", state.vwap, row.columns["vwap_bar"], within: 1e-6, at)
            comparison.expect("sigma_bar", state.sigma, row.columns["sigma_bar"], within: 1e-5, at)
            comparison.expect("atr14_wilder", state.atr14, row.columns["atr14_wilder"], within: 1e-6, at)
            comparison.expect("rv_session", state.rvSession, row.columns["rv_session"], within: 1e-6, at)
            comparison.expect("rv_30", state.rv30, row.columns["rv_30"], within: 1e-6, at)
        }
        comparison.report("SPY 2025-07 (minute bars)")
    }
}
