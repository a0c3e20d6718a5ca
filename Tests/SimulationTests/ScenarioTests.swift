import Testing

@testable import Simulation

@Suite struct ScenarioTests {
    @Test func readsStepsAndRandomDisconnects() throws {
        let text = """
            # two steps and some noise

            {"at":12.5,"provider":"polygon","mood":"reset"}
            {"at":3,"clock":"wall","provider":"uw","mood":"half-open","for":4}
            {"random":{"disconnects":200,"seed":7}}
            """
        let scenario = try Scenario(text: text, providers: SimulatedKind.allCases)
        #expect(scenario.steps.count == 202)
        #expect(zip(scenario.steps, scenario.steps.dropFirst()).allSatisfy { $0.at <= $1.at })
        #expect(try Scenario(text: text, providers: SimulatedKind.allCases) == scenario)
        #expect(scenario.steps.allSatisfy { $0.mood.suits($0.provider) })
        #expect(scenario.steps.contains { $0.clock == .wall && $0.mood == .halfOpen && $0.seconds == 4 })
    }

    @Test(arguments: [
        (#"{"at":-1,"provider":"polygon","mood":"reset"}"#, "at"),
        (#"{"provider":"polygon","mood":"reset"}"#, "at"),
        (#"{"at":1,"provider":"nyse","mood":"reset"}"#, "provider"),
        (#"{"at":1,"provider":"uw","mood":"reset"}"#, "provider"),
        (#"{"at":1,"provider":"polygon","mood":"cheerful"}"#, "mood"),
        (#"{"at":1,"provider":"polygon","mood":"2103"}"#, "mood"),
        (#"{"at":1,"provider":"polygon","mood":"reset","fro":3}"#, "fro"),
        (#"{"at":1,"provider":"polygon","mood":"reset","for":"3"}"#, "for"),
        (#"{"random":{"seed":7}}"#, "disconnects"),
        (#"{"random":{"disconnects":3,"providers":["uw"]}}"#, "providers"),
        (#"[1]"#, "line"),
        (#"{"at":1"#, "line"),
    ]) func namesLineAndField(line: String, field: String) {
        #expect(
            performing: {
                _ = try Scenario(text: "\n" + line, providers: [.polygon])
            },
            throws: { error in
                let first = (error as? ScenarioErrors)?.problems.first
                return first?.line == 2 && first?.field == field
            }
        )
    }

    @Test func moodSetsHoldEveryMood() {
        var set = MoodSet()
        for mood in Mood.allCases {
            #expect(!set.contains(mood))
            set.insert(mood)
            #expect(set.contains(mood))
        }
        for mood in Mood.allCases { set.remove(mood) }
        #expect(set.isEmpty)
        for mood in Mood.allCases { #expect(SimulatedKind.allCases.contains { mood.suits($0) }, "\(mood)") }
    }
}
