internal import Engine
internal import Foundation
internal import Logging
internal import MarketData
internal import Network
internal import Primitives
internal import Wire

/// Splits and dividends by the day on which prices are on their other side.
///
/// Read anew each day, so that a file that is kept up to date needs no restart. One that can't be read, or an entry that is
/// wrong, is told and the rest goes on.
struct CorporateActions {
    /// What happens to a symbol's prices.
    struct Entry: Equatable {
        var symbol: String
        /// yyyymmdd.
        var exDate: Int32
        /// nil: neither split nor dividend; its plans are to be reviewed.
        var ratio: (numerator: Int64, denominator: Int64)?

        static func == (a: Entry, b: Entry) -> Bool {
            a.symbol == b.symbol && a.exDate == b.exDate && a.ratio?.numerator == b.ratio?.numerator
                && a.ratio?.denominator == b.ratio?.denominator
        }

        /// The body of the command that tells the engine.
        var body: [UInt8] {
            let ratio = ratio.map { #","ratio":[\#($0.numerator),\#($0.denominator)]"# } ?? ""
            return Array(#"{"symbol":"\#(symbol)","exDate":\#(exDate)\#(ratio)}"#.utf8)
        }
    }

    private(set) var entries: [Entry] = []
    /// What is wrong, each with its place.
    private(set) var problems: [String] = []

    /// Reads `[{"symbol":"SPY","exDate":"2026-12-01","ratio":[1,2]}]`.
    init(_ text: [UInt8]) {
        guard let rows = (try? JSONParser.parse(text))?.array else {
            problems = ["expected a JSON array of corporate actions"]
            return
        }
        for (index, row) in rows.enumerated() {
            func refuse(_ field: String, _ expected: String) {
                problems.append("entry \(index + 1): \(field): expected \(expected)")
            }
            guard let symbol = row["symbol"]?.string, let instrument = Instrument(symbol), instrument.kind != .option
            else {
                refuse("symbol", "a symbol such as SPY")
                continue
            }
            guard let date = row["exDate"]?.string.flatMap(Self.date) else {
                refuse("exDate", "a day such as 2026-12-01")
                continue
            }
            guard let ratio = row["ratio"], !ratio.isNull else {
                entries.append(Entry(symbol: symbol, exDate: date))
                continue
            }
            guard let parts = ratio.array, parts.count == 2, let numerator = parts[0].integer,
                let denominator = parts[1].integer, (1...1_000_000_000).contains(numerator),
                (1...1_000_000_000).contains(denominator)
            else {
                refuse("ratio", "[numerator, denominator], whole numbers of at least 1")
                continue
            }
            entries.append(Entry(symbol: symbol, exDate: date, ratio: (numerator, denominator)))
        }
    }

    private static func date(_ text: String) -> Int32? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].count == 4, parts[1].count == 2, parts[2].count == 2,
            let number = Int32(parts.joined()), CivilDate(number).yyyymmdd == number
        else { return nil }
        return number
    }
}

/// Tells the engine of a corporate action at 04:00 of its day; feed loop thread only.
///
/// An action is told again after a restart: a core takes each of its days once.
final class ActionDesk {
    private let path: String
    private let ingest: IngestPoint
    private let loop: EventLoop
    private let now: () -> Instant
    private let logger: Logger
    /// The day whose actions were told.
    private var toldDay: Int32 = 0

    init(_ path: String, ingest: IngestPoint, loop: EventLoop, now: @escaping () -> Instant, logger: Logger) {
        self.path = path
        self.ingest = ingest
        self.loop = loop
        self.now = now
        self.logger = logger
    }

    func start() {
        tell()
        loop.schedule(after: 5_000_000_000, repeating: 5_000_000_000) { [weak self] in self?.tell() }
    }

    private func tell() {
        let instant = now()
        guard instant > .zero else { return }
        let date = NewYork.local(instant).date
        guard date.yyyymmdd != toldDay, instant >= NewYork.instant(date, hour: 4, minute: 0) else { return }
        toldDay = date.yyyymmdd
        guard let text = FileManager.default.contents(atPath: path) else {
            logger.error("actions_file", metadata: ["file": "\(path)", "error": "can't be read"])
            return
        }
        let actions = CorporateActions(Array(text))
        for problem in actions.problems {
            logger.error("actions_file", metadata: ["file": "\(path)", "error": "\(problem)"])
        }
        for entry in actions.entries where entry.exDate == toldDay {
            let id = "adjust-\(entry.symbol)-\(entry.exDate)"
            let command = Command(operation: .adjust, id: id, owner: "engine", body: entry.body)
            let refusal = ingest.take(command, at: SystemClock.wall())
            logger.notice(
                "corporate_action",
                metadata: ["symbol": "\(entry.symbol)", "taken": "\(refusal == nil)"]
            )
        }
        ingest.flush()
    }
}
