import Application
import FeedProtocols
import Foundation
import Testing
import Wire

/// What shapes the outputs stands on the tape, and a replay takes it from there.
@Suite struct OutputSettingsTests {
    private static let changed = {
        var settings = OutputSettings()
        (settings.publishMs, settings.sampleMs, settings.staleMs, settings.optionStaleMs) = (200, 1_000, 700, 9_000)
        settings.maxPlans = 77
        return settings
    }()

    @Test func theTapeBringsThemBack() throws {
        #expect(try OutputSettings(tape: Self.changed.json) == Self.changed)
        #expect(try OutputSettings(tape: .null) == OutputSettings())
    }

    @Test(arguments: [#"{"nbbo.sampleMs":0}"#, #"{"nbbo.sampleMs":"x"}"#, #"{"engine.publishMs":1e9}"#])
    func aValueThatCantBeIsNamed(text: String) throws {
        let config = try JSONParser.parse(Array(text.utf8))
        let error = #expect(throws: ReplayError.self) { try OutputSettings(tape: config) }
        #expect(error?.description.contains(config.firstKey) == true)
    }

    @Test func aReplayUsesThoseOfTheTape() throws {
        let tape = try Tape(config: Self.changed.json)
        let plain = try Tape(config: .null)
        defer { for made in [tape, plain] { made.remove() } }
        let told = try tape.replay(nil)
        let given = try plain.replay(Self.changed)
        let builtIn = try plain.replay(nil)
        #expect(told == given)
        #expect(told != builtIn)
        #expect(try tape.replay(OutputSettings()) == builtIn)
    }

    @Test func otherSettingsInTheMiddleAreNotPassedOver() throws {
        let tape = try Tape(config: .null, second: Self.changed.json)
        defer { tape.remove() }
        let error = #expect(throws: ReplayError.self) { try tape.replay(nil) }
        #expect(error?.description.contains("--config") == true)
        #expect(try !tape.replay(Self.changed).isEmpty)
    }

    @Test func theSameSettingsAgainAreNoChange() throws {
        let tape = try Tape(config: Self.changed.json, second: Self.changed.json)
        defer { tape.remove() }
        #expect(try !tape.replay(nil).isEmpty)
    }

    private struct Tape {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("settings-\(UUID().uuidString).jsonl")

        init(config: JSONValue, second: JSONValue? = nil) throws {
            var mix = FrameMix(seed: 11, symbols: 3)
            let start: Int64 = 1_763_994_600_000_000_000
            var text = Self.meta(config, at: start)
            for index in 0..<600 {
                var frame: [UInt8] = []
                _ = mix.appendFrame(to: &frame)
                let time = start + Int64(index) * 30_000_000
                if index == 300, let second { text += Self.meta(second, at: time) }
                text += Array(#"{"t":\#(time),"n":\#(1 + index * 100),"src":"polygon.stocks","frame":"#.utf8)
                text += frame + Array("}\n".utf8)
                text += Array(#"{"t":\#(time),"n":\#(90 + index * 100),"clock":true}"#.utf8) + Array("\n".utf8)
            }
            try Data(text).write(to: file)
        }

        private static func meta(_ config: JSONValue, at time: Int64) -> [UInt8] {
            var out = Array(#"{"t":\#(time),"meta":{"v":1,"ep":"e","run":"r","config":"#.utf8)
            JSONText.append(config, to: &out)
            return out + Array("}}\n".utf8)
        }

        func replay(_ settings: OutputSettings?) throws -> String {
            try Replay(ReplayOptions(files: [file.path], settings: settings)).run(progress: .silent).digestAll
        }

        func remove() { try? FileManager.default.removeItem(at: file) }
    }
}

extension JSONValue {
    fileprivate var firstKey: String {
        guard case .object(let members) = self else { return "an object" }
        return members.first?.key ?? "a key"
    }
}
