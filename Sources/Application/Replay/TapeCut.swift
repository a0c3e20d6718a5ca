internal import Foundation
internal import Journal
internal import MarketData
internal import Primitives
internal import Simulation
internal import Wire

/// Takes a part of a tape out of it (`striketape tape cut`).
package struct TapeCut {
    /// What was asked for.
    package struct Options: Sendable {
        package var files: [String]
        package var from: String?
        package var to: String?
        package var symbols: [String]
        /// nil: standard output.
        package var out: String?

        package init(files: [String], from: String?, to: String?, symbols: [String], out: String?) {
            self.files = files
            self.from = from
            self.to = to
            self.symbols = symbols
            self.out = out
        }
    }

    /// What came of it.
    package struct Summary: Sendable {
        package var lines: Int64
        package var damage: [String]
        /// Objects of frames whose symbol couldn't be found; left out by a filter.
        package var unreadable: Int64
    }

    /// - Throws: `ReplayError` for a time that is none, `JournalError` for a file.
    package static func run(_ options: Options, progress style: ProgressStyle) throws -> Summary {
        let paths = try TapeTools.expand(options.files)
        let range = TapeCutter.Range(
            from: try options.from.map { try target($0, in: paths, option: "--from") },
            to: try options.to.map { try target($0, in: paths, option: "--to") }
        )
        if let out = options.out, paths.contains(out) { throw ReplayError("--out: \(out) is read from") }
        let filter = try options.symbols.isEmpty ? nil : SymbolFilter(options.symbols)
        let writer = try TapeFileWriter(options.out)
        var meter = ProgressMeter(label: "cut", total: Int64(paths.count) * 100, style: style)
        let damage = try TapeCutter.cut(paths, range, filter: filter?.lines, to: writer) {
            meter.update(Int64($0.file) * 100)
        }
        meter.finish("\(writer.lines) lines")
        return Summary(
            lines: writer.lines,
            damage: damage.map { "\($0)" },
            unreadable: filter?.unreadable ?? 0
        )
    }

    /// Reads `n:N`, nanoseconds, ISO 8601, or a New York time `HH:MM[:SS]` on the tape's first day.
    static func target(_ text: String, in paths: [String], option: String) throws -> TapeSeek.Target {
        if text.hasPrefix("n:"), let n = Ordinal(text.dropFirst(2)), n > 0 { return .ordinal(n) }
        if let nanos = Int64(text), nanos > 86_400 { return .time(Instant(nanos: nanos)) }
        if let instant = InstantText.parse(text) { return .time(instant) }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        if (2...3).contains(parts.count), let minutes = NewYork.minutes(parts.prefix(2).joined(separator: ":")) {
            let seconds = parts.count == 3 ? Int64(parts[2]) : 0
            if let seconds, (0..<60).contains(seconds), parts.count == 2 || parts[2].utf8.count == 2 {
                let date = NewYork.local(try firstTime(paths)).date
                return .time(NewYork.instant(date, seconds: Int64(minutes) * 60 + seconds))
            }
        }
        throw ReplayError(
            "\(option): expected HH:MM[:SS] in New York, 2026-01-02T15:04:05Z, nanoseconds or n:N, found \(text)"
        )
    }

    /// The first time of a tape that belongs to a day: by the exchange's clock a run begins at the epoch.
    private static func firstTime(_ paths: [String]) throws -> Instant {
        let reader = TapeReader(paths, policy: .skipLine)
        while let line = try reader.next() {
            if case .meta = line { continue }
            if line.time > Instant(nanos: 40_000_000_000_000_000) { return line.time }
        }
        throw ReplayError("the tape has no time of day to count from")
    }
}

/// Keeps what is about a few underlyings: themselves, their indices and contracts.
private final class SymbolFilter {
    private let underlyings: Set<String>
    private var plans: Set<String> = []
    private(set) var unreadable: Int64 = 0

    init(_ symbols: [String]) throws {
        underlyings = Set(
            try symbols.map { text in
                guard let instrument = Instrument(text) else { throw ReplayError("--symbol: \(text) is no symbol") }
                return instrument.underlying
            }
        )
    }

    var lines: TapeCutter.Filter {
        TapeCutter.Filter(
            frame: { [self] source, bytes in
                switch source {
                case .stocks, .options, .indices: keepObjects(Array(bytes))
                case .flow, .bridge: mentions(Array(bytes)) ? Array(bytes) : nil
                }
            },
            command: { [self] in keeps($0) }
        )
    }

    private func isWanted(_ symbol: String) -> Bool {
        Instrument(symbol).map { underlyings.contains($0.underlying) } ?? false
    }

    private func keepObjects(_ frame: [UInt8]) -> [UInt8]? {
        FrameFilter.filter(frame) { part in
            if part.symbol.isEmpty, part.channel != "status" { unreadable += 1 }
            return isWanted(part.symbol)
        }
    }

    /// A message of a feed that isn't an array of events is kept whole if one of its texts names a symbol.
    private func mentions(_ frame: [UInt8]) -> Bool {
        let texts = String(decoding: frame, as: UTF8.self).split(separator: "\"", omittingEmptySubsequences: false)
        // Between quotes stand the odd ones; a channel's name ends in its symbol.
        return texts.enumerated().contains { index, text in
            guard index % 2 == 1 else { return false }
            if isWanted(String(text)) || isWanted("O:" + text) { return true }
            return text.split(separator: ":").last.map { isWanted(String($0)) } ?? false
        }
    }

    private func keeps(_ command: Command) -> Bool {
        guard let body = try? JSONParser.parse(command.body), let id = body["id"]?.string else { return false }
        if let symbol = body["symbol"]?.string {
            guard isWanted(symbol) else { return false }
            plans.insert(id)
            return true
        }
        return plans.contains(id)
    }
}
