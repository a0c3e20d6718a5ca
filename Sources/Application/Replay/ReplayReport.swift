internal import Analytics
internal import MarketData
internal import Primitives
package import SymbolCore
internal import Wire

/// What a replay found, and the object that `--json` prints (its shape is stable).
package struct ReplayReport: Sendable {
    package var frames: Int64 = 0
    /// Events taken by the provider's `ev`, in order of the name.
    package var events: [(ev: String, count: Int64)] = []
    package var malformed: Int64 = 0
    package var duplicates: Int64 = 0
    package var seconds = 0.0
    package var cpuSeconds = 0.0
    package var hits: Int64 = 0
    package var digest = ""
    package var digestAll = ""
    package var checkpoints: [(at: Int, reading: SymbolReading)] = []

    package var eventCount: Int64 { events.reduce(0) { $0 + $1.count } }

    package var json: String {
        var out: [UInt8] = []
        var object = JSONObject(&out)
        object.field("frames", frames as Int64?, to: &out)
        object.key("events", to: &out)
        var counts = JSONObject(&out)
        for event in events { counts.field(event.ev, event.count as Int64?, to: &out) }
        counts.end(&out)
        object.field("malformed", malformed as Int64?, to: &out)
        object.field("duplicates", duplicates as Int64?, to: &out)
        object.field("seconds", seconds as Double?, to: &out)
        object.field("eventsPerSecond", (seconds > 0 ? Double(eventCount) / seconds : 0) as Double?, to: &out)
        object.field("cpuSeconds", cpuSeconds as Double?, to: &out)
        object.field("hits", hits as Int64?, to: &out)
        object.field("digest", digest as String?, to: &out)
        object.field("digestAll", digestAll as String?, to: &out)
        object.key("checkpoints", to: &out)
        out.append(UInt8(ascii: "["))
        for (index, checkpoint) in checkpoints.enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            append(checkpoint.reading, at: checkpoint.at, to: &out)
        }
        out.append(UInt8(ascii: "]"))
        object.end(&out)
        return String(decoding: out, as: UTF8.self)
    }

    /// A few lines for people.
    package var text: String {
        func short(_ value: Double?) -> String {
            guard let value else { return "–" }
            var out: [UInt8] = []
            DecimalText.append(micros: Int64((value * 1e4).rounded()) * 100, to: &out)
            return String(decoding: out, as: UTF8.self)
        }
        let counts = events.map { "\($0.ev) \($0.count)" }.joined(separator: ", ")
        var lines = [
            "\(frames) frames, \(eventCount) events (\(counts)), \(malformed) malformed, \(duplicates) repeated",
            "\(short(seconds)) s, \(short(cpuSeconds)) CPU-s, \(hits) hits",
            "digest    \(digest)", "digestAll \(digestAll)",
        ]
        for (minute, reading) in checkpoints {
            let figures = reading.figures
            lines.append(
                "\(reading.symbol) \(Self.text(date: figures.date)) \(Self.text(minute: minute))"
                    + "  volume \(short(figures.cumVolume.shares))  vwap \(short(figures.vwap))"
                    + "  sigma \(short(figures.sigma))  atr14 \(short(figures.atr14))"
                    + "  last \(short(figures.last?.dollars))"
            )
        }
        return lines.joined(separator: "\n")
    }

    private func append(_ reading: SymbolReading, at minute: Int, to out: inout [UInt8]) {
        let figures = reading.figures
        var object = JSONObject(&out)
        object.field("symbol", reading.symbol as String?, to: &out)
        object.field("date", Self.text(date: figures.date) as String?, to: &out)
        object.field("at", Self.text(minute: minute) as String?, to: &out)
        object.field("cumVolume", figures.cumVolume as Size?, to: &out)
        object.field("vwap", figures.vwap, to: &out)
        object.field("sigma", figures.sigma, to: &out)
        object.field("atr14", figures.atr14, to: &out)
        object.field("open", figures.open, to: &out)
        object.field("high", figures.high, to: &out)
        object.field("low", figures.low, to: &out)
        object.field("last", figures.last, to: &out)
        object.field("trades", figures.trades as Int64?, to: &out)
        object.field("quotes", figures.quotes as Int64?, to: &out)
        object.field("twas", figures.twas, to: &out)
        object.field("lockedShare", figures.lockedShare, to: &out)
        object.field("crossedShare", figures.crossedShare, to: &out)
        object.field("rvol", figures.rvol, to: &out)
        object.field("rvolMinute", figures.rvolMinute, to: &out)
        object.field("rvSession", figures.rvSession, to: &out)
        object.field("rv30", figures.rv30, to: &out)
        object.end(&out)
    }

    package static func text(date: Int32) -> String {
        let (year, month, day) = (date / 10_000, date / 100 % 100, date % 100)
        return "\(year)-\(month < 10 ? "0" : "")\(month)-\(day < 10 ? "0" : "")\(day)"
    }

    package static func text(minute: Int) -> String {
        "\(minute / 60 < 10 ? "0" : "")\(minute / 60):\(minute % 60 < 10 ? "0" : "")\(minute % 60)"
    }
}
