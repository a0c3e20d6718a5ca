internal import Wire

/// A mood that begins and perhaps ends.
package struct ScenarioStep: Equatable, Sendable {
    package enum Clock: String, Sendable, CaseIterable {
        /// Seconds of market time since the market began.
        case market
        /// Seconds on the wall since the market began.
        case wall
    }

    package var at: Double
    package var clock = Clock.market
    package var provider: SimulatedKind
    package var mood: Mood
    /// How long it holds; to the end where nil.
    package var seconds: Double?
    /// Of a mood that concerns one symbol (`halt`) or channel (`not-authorized`).
    package var subject: String?
    /// Of `clock-skew`, in milliseconds; of `burst`, events a second.
    package var amount: Double?

    package init(at: Double, provider: SimulatedKind, mood: Mood, seconds: Double? = nil) {
        (self.at, self.provider, self.mood, self.seconds) = (at, provider, mood, seconds)
    }
}

/// A scenario file that can't be used: which line, which field, and what was found.
package struct ScenarioError: Error, Equatable, CustomStringConvertible {
    package let line: Int
    package let field: String
    package let problem: String

    package var description: String { "scenario line \(line), \(field): \(problem)" }
}

/// When which provider is in which mood, from a file of JSON lines.
///
/// A line is `{"at":12.5,"provider":"polygon","mood":"reset","for":3}`, with `"clock":"wall"` for wall time, `"symbol"`,
/// `"channel"` or `"amount"` where a mood takes them; or
/// `{"random":{"disconnects":200,"seed":7,"over":23400,"providers":["polygon","uw"]}}`. Empty lines and lines that begin
/// with `#` are skipped. All problems are told at once.
package struct Scenario: Equatable, Sendable {
    package var steps: [ScenarioStep] = []

    package init(steps: [ScenarioStep] = []) { self.steps = steps.sorted { $0.at < $1.at } }

    /// What a file may have at most.
    static let linesMax = 100_000
    static let disconnectsMax = 100_000

    /// Reads a file's text.
    ///
    /// - Throws: `ScenarioErrors` with every problem found.
    package init(text: String, providers: [SimulatedKind]) throws(ScenarioErrors) {
        var problems: [ScenarioError] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let bytes = Array(line.utf8)
            guard let first = bytes.first(where: { $0 != 0x20 && $0 != 0x0D && $0 != 0x09 }), first != 0x23 else {
                continue
            }
            guard index < Self.linesMax else {
                problems.append(
                    ScenarioError(line: index + 1, field: "file", problem: "more than \(Self.linesMax) lines")
                )
                break
            }
            var reader = ScenarioLine(line: index + 1, providers: providers)
            steps += reader.read(bytes)
            problems += reader.problems
        }
        guard problems.isEmpty else { throw ScenarioErrors(problems: problems) }
        steps.sort { $0.at < $1.at }
    }
}

/// Every problem of a scenario file.
package struct ScenarioErrors: Error, Equatable, CustomStringConvertible {
    package let problems: [ScenarioError]
    package var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// Reads one line of a scenario.
private struct ScenarioLine {
    let line: Int
    let providers: [SimulatedKind]
    var problems: [ScenarioError] = []

    init(line: Int, providers: [SimulatedKind]) { (self.line, self.providers) = (line, providers) }

    mutating func read(_ bytes: [UInt8]) -> [ScenarioStep] {
        let value: JSONValue
        do { value = try JSONParser.parse(bytes) } catch {
            fail("line", "\(error)")
            return []
        }
        guard case .object(let members) = value else {
            fail("line", "expected an object, found \(value.kindName)")
            return []
        }
        if let random = value["random"] { return disconnects(random) }
        let known = ["at", "clock", "provider", "mood", "for", "symbol", "channel", "amount"]
        for member in members where !known.contains(member.key) {
            fail(member.key, "unknown; expected one of \(known.joined(separator: ", "))")
        }
        return step(value).map { [$0] } ?? []
    }

    private mutating func fail(_ field: String, _ problem: String) {
        problems.append(ScenarioError(line: line, field: field, problem: problem))
    }

    private mutating func step(_ value: JSONValue) -> ScenarioStep? {
        let before = problems.count
        let at = seconds(value, "at", needed: true)
        let length = seconds(value, "for", needed: false)
        let provider = choice(value, "provider", SimulatedKind.self, needed: true)
        let mood = choice(value, "mood", Mood.self, needed: true)
        let clock = choice(value, "clock", ScenarioStep.Clock.self, needed: false)
        if let provider, !providers.contains(provider) {
            fail("provider", "\(provider.rawValue) isn't among --providers")
        }
        if let provider, let mood, !mood.suits(provider) {
            fail("mood", "\(mood.rawValue) isn't one of \(provider.rawValue)'s")
        }
        let amount = number(value, "amount", in: -1e9...1e9, needed: false)
        guard problems.count == before, let at, let provider, let mood else { return nil }
        var step = ScenarioStep(at: at, provider: provider, mood: mood, seconds: length)
        step.clock = clock ?? .market
        step.subject = value["symbol"]?.string ?? value["channel"]?.string
        step.amount = amount
        return step
    }

    private mutating func seconds(_ value: JSONValue, _ key: String, needed: Bool) -> Double? {
        number(value, key, in: 0...1e7, needed: needed)
    }

    private mutating func number(
        _ value: JSONValue,
        _ key: String,
        in range: ClosedRange<Double>,
        needed: Bool
    ) -> Double? {
        guard let found = value[key] else {
            if needed { fail(key, "missing") }
            return nil
        }
        guard case .number(let text) = found, let number = Double(text), range.contains(number) else {
            fail(key, "expected a number in \(range.lowerBound)…\(range.upperBound), found \(found.kindName)")
            return nil
        }
        return number
    }

    private mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ value: JSONValue,
        _ key: String,
        _: Choice.Type,
        needed: Bool
    ) -> Choice? {
        guard let found = value[key] else {
            if needed { fail(key, "missing") }
            return nil
        }
        guard let text = found.string, let choice = Choice(rawValue: text) else {
            let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            fail(key, "expected one of \(names); found \(found.kindName)")
            return nil
        }
        return choice
    }

    /// Disconnects of every kind, spread evenly with noise over a time, each of a provider by turns.
    private mutating func disconnects(_ value: JSONValue) -> [ScenarioStep] {
        let before = problems.count
        let count = number(value, "disconnects", in: 1...Double(Scenario.disconnectsMax), needed: true)
        let seed = number(value, "seed", in: 0...1e15, needed: false) ?? 1
        let over = number(value, "over", in: 1...1e7, needed: false) ?? 23_400
        var kinds = providers
        if let named = value["providers"]?.array {
            kinds = named.compactMap { $0.string.flatMap(SimulatedKind.init(rawValue:)) }
            if kinds.count != named.count || !kinds.allSatisfy(providers.contains) {
                fail("providers", "expected some of \(providers.map(\.rawValue).joined(separator: ", "))")
            }
        }
        guard problems.count == before, let count, !kinds.isEmpty else { return [] }
        var random = ModelRandom(seed: UInt64(seed))
        return (0..<Int(count)).map { index in
            let at = over * (Double(index) + random.uniform()) / count
            let kind = kinds[random.below(kinds.count)]
            let moods: [Mood] = [
                .reset, .abort, .close1008, .close1012, .halfOpen, kind == .bridge ? .restart : .reset,
            ]
            let mood = moods[random.below(moods.count)]
            return ScenarioStep(
                at: at,
                provider: kind,
                mood: mood,
                seconds: mood.isMoment ? nil : 5 + 40 * random.uniform()
            )
        }
    }
}
