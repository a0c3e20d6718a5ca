internal import Analytics
internal import Journal
internal import MarketData
internal import Primitives
internal import SymbolCore
package import Wire

/// The configuration's values that shape what the engine says: with the inputs they fix every output.
///
/// A run writes them on its tape, and a replay takes them from there, so that live = replay holds whatever was configured.
package struct OutputSettings: Sendable, Equatable {
    package var publishMs = 50
    package var maxPlans = 1_000_000
    package var sampleMs = 250
    package var staleMs = 2_000
    package var optionStaleMs = 15_000
    package var repairMs = 10_000
    /// 0: no lag is looked at, as by the exchange's clock and on tapes that were not made by a run.
    package var lagMaxMs = 0
    /// 1: a symbol's silence makes its plans blind.
    package var watchSilence = 0

    /// As built in.
    package init() {}

    /// As configured.
    package init(_ configuration: Configuration) {
        publishMs = configuration.engine.publishMs
        maxPlans = configuration.engine.maxPlans
        sampleMs = configuration.nbbo.sampleMs
        staleMs = configuration.nbbo.staleMs
        optionStaleMs = configuration.nbbo.optionStaleMs
        repairMs = configuration.feed.repairMs
        let isWall = configuration.engine.clock == .wall
        lagMaxMs = isWall ? configuration.feed.lagMaxMs : 0
        watchSilence = isWall ? 1 : 0
    }

    private typealias Field = (
        key: String, path: WritableKeyPath<OutputSettings, Int>, range: ClosedRange<Int64>
    )

    /// Each by the name of its configuration key, with what the configuration allows.
    private static var fields: [Field] {
        [
            ("engine.publishMs", \.publishMs, 50...60_000),
            ("engine.maxPlans", \.maxPlans, 1...10_000_000),
            ("nbbo.sampleMs", \.sampleMs, 50...10_000),
            ("nbbo.staleMs", \.staleMs, 100...600_000),
            ("nbbo.optionStaleMs", \.optionStaleMs, 100...600_000),
            ("feed.repairMs", \.repairMs, 1_000...86_400_000),
            ("feed.lagMaxMs", \.lagMaxMs, 0...600_000),
            ("feed.watchSilence", \.watchSilence, 0...1),
        ]
    }

    /// Takes the `config` of a tape's meta line; what it doesn't say is as built in.
    ///
    /// - Throws: `ReplayError` naming the key whose value can't be.
    package init(tape config: JSONValue) throws {
        for field in Self.fields {
            guard let value = config[field.key] else { continue }
            guard let number = value.integer, field.range.contains(number) else {
                throw ReplayError(
                    "the tape's meta line: config.\(field.key): expected \(field.range), found \(value.kindName)"
                )
            }
            self[keyPath: field.path] = Int(number)
        }
    }

    /// For the tape's meta line.
    package var json: JSONValue {
        .object(Self.fields.map { (key: $0.key, value: .number("\(self[keyPath: $0.path])")) })
    }

    /// What the symbol cores get.
    func coreOptions(limitsLivePlans: Bool) -> SymbolCoreOptions {
        let sample = Int64(sampleMs) * 1_000_000
        var options = SymbolCoreOptions(
            analytics: AnalyticsSettings(
                sampling: NBBOSampling(sampleNanos: sample, staleNanos: Int64(staleMs) * 1_000_000)
            ),
            contractSampling: NBBOSampling(sampleNanos: sample, staleNanos: Int64(optionStaleMs) * 1_000_000),
            publishNanos: Int64(publishMs) * 1_000_000,
            planLimit: maxPlans,
            limitsLivePlans: limitsLivePlans
        )
        options.repairNanos = Int64(repairMs) * 1_000_000
        return options
    }

    /// A tape that no run made has event times for receive times: neither lag nor silence means anything there.
    package mutating func watchesNothing() { (lagMaxMs, watchSilence) = (0, 0) }

    var lagMaxNanos: Int64 { Int64(lagMaxMs) * 1_000_000 }
    var watchesSilence: Bool { watchSilence == 1 }

    /// Differs where a state saved under other settings may not be taken up: its grid of samples is another.
    var layout: Int64 {
        var text: [UInt8] = []
        JSONText.append(json, to: &text)
        return SHA256.digest(text).prefix(8).reduce(0) { $0 << 8 | Int64($1) }
    }
}
