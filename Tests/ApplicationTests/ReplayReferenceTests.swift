import Analytics
import Application
import Foundation
import Primitives
import SymbolCore
import Testing

/// `replay --checkpoints` over the three stock tapes equals the independent reference.
@Suite struct ReplayReferenceTests {
    @Test(arguments: ["stocks_2013-10-07", "stocks_2013-10-08", "stocks_taq_2018-01-02"])
    func equalsTheReference(tape: String) throws {
        guard let file = RecordedData.path("\(tape).jsonl.zst"), let reference = try RecordedData.checkpoints(),
            let sessions = try RecordedData.sessions()
        else { return }
        let times = try #require(reference["BAC 2013-10-07"]).keys.sorted()
        let minutes = try times.map { try #require(Replay.minute($0)) }
        let report = try Replay(ReplayOptions(files: [file], checkpointMinutes: minutes)).run(progress: .silent)
        #expect(report.malformed == 0)
        var compared = 0
        for (minute, reading) in report.checkpoints {
            let key = "\(reading.symbol) \(ReplayReport.text(date: reading.figures.date))"
            let at = ReplayReport.text(minute: minute)
            let row = try #require(reference[key]?[at], "no reference for \(key) \(at)")
            compare(reading.figures, with: row, "\(key) \(at)")
            compared += 1
            guard at == "16:00" else { continue }
            compare(reading.figures, withSession: try #require(sessions[key]), key)
        }
        // Two symbols on the tapes of 2013, one on that of 2018, twelve times each.
        #expect(compared == (tape.contains("taq") ? 12 : 24))
    }

    private func compare(_ figures: SymbolCheckpoint, with row: [String: Double], _ place: String) {
        equal(figures.cumVolume.shares, row["cumvol"], 1e-6, "\(place) cumVolume")
        equal(figures.vwap, row["vwap_elig"], 1e-6, "\(place) vwap")
        equal(figures.sigma, row["sigma_tick"], 1e-5, "\(place) sigma")
        equal(figures.atr14, row["atr14_wilder"], 1e-6, "\(place) atr14")
        equal(figures.rvSession, row["rv_session"], 1e-6, "\(place) rvSession")
        equal(figures.rv30, row["rv_30"], 1e-6, "\(place) rv30")
    }

    private func compare(_ figures: SymbolCheckpoint, withSession row: [String: Double], _ place: String) {
        equal(Double(figures.trades), row["n_trades_rth"], 0, "\(place) trades")
        equal(figures.cumVolume.shares, row["volume_all_rth"], 1e-6, "\(place) volume")
        equal(figures.open?.dollars, row["open"], 1e-6, "\(place) open")
        equal(figures.high?.dollars, row["high"], 1e-6, "\(place) high")
        equal(figures.low?.dollars, row["low"], 1e-6, "\(place) low")
        equal(figures.last?.dollars, row["last"], 1e-6, "\(place) last")
        equal(figures.twas, row["twas"], 1e-6, "\(place) twas")
        equal(figures.lockedShare, row["locked"], 1e-6, "\(place) lockedShare")
        equal(figures.crossedShare, row["crossed"], 1e-6, "\(place) crossedShare")
    }

    /// Relative equality; the reference prints nine decimals, so half of the last one is allowed on top.
    private func equal(_ value: Double?, _ expected: Double?, _ tolerance: Double, _ what: String) {
        guard let expected else {
            #expect(value == nil, "\(what): expected none, found \(value ?? 0)")
            return
        }
        guard let value else {
            Issue.record("\(what): expected \(expected), found none")
            return
        }
        #expect(abs(value - expected) <= abs(expected) * tolerance + 0.51e-9, "\(what): \(value) != \(expected)")
    }
}
