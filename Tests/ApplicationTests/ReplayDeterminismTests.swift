import Application
import FeedProtocols
import Foundation
import Testing

/// The same tape gives the same messages, whatever the shards and the speed.
@Suite struct ReplayDeterminismTests {
    private static let plans = """
        [{"id":"p_1","symbol":"A","side":"long","style":"swing","sessions":["pre","rth","post"],\
        "entry":{"type":"touch","price":168.9},"stop":{"price":160},"targets":[{"price":169,"fraction":0.5},\
        {"price":172,"fraction":0.5}],"trail":{"after":1,"distance":0.2}},
        {"symbol":"B","side":"short","style":"swing","sessions":["pre","rth","post"],"trigger":"doublebidask",\
        "entry":{"type":"breakout","price":640},"stop":{"price":660},"targets":[{"price":630,"fraction":1}]}]
        """

    @Test(arguments: [2, 5])
    func shardsChangeNothing(shards: Int) throws {
        let files = try madeFiles(frames: 4_000)
        defer { files.remove() }
        let one = try report(files, shards: 1)
        let many = try report(files, shards: shards)
        #expect(one.digest == many.digest)
        #expect(one.digestAll == many.digestAll)
        #expect(one.eventCount > 50_000 && one.hits > 0)
        #expect(many.hits == one.hits)
    }

    @Test func speedChangesNothing() throws {
        let files = try madeFiles(frames: 4_000)
        defer { files.remove() }
        let fast = try report(files, shards: 2)
        let paced = try report(files, shards: 2, speed: 3_600)
        #expect(fast.digest == paced.digest)
        #expect(fast.digestAll == paced.digestAll)
    }

    @Test func oneWrongPlanRefusesTheFileWithEveryProblem() throws {
        let files = try madeFiles(frames: 1, plans: #"[{"id":"x","symbol":"A","side":"up"},7]"#)
        defer { files.remove() }
        let error = #expect(throws: ReplayError.self) { try report(files, shards: 1) }
        for part in ["plan 1 (x)", "side", "stop", "targets", "plan 2"] {
            #expect(error?.description.contains(part) == true, "\(part) missing in \(error?.description ?? "")")
        }
    }

    @Test func aDamagedLineIsToldWithItsPlaceAndTheRestBeforeItIsRun() throws {
        let files = try madeFiles(frames: 20)
        defer { files.remove() }
        var lines = try String(contentsOfFile: files.tape, encoding: .utf8).split(separator: "\n").map(String.init)
        lines[12] = #"{"t":17,"src":"#
        try lines.joined(separator: "\n").write(toFile: files.tape, atomically: true, encoding: .utf8)
        let replay = try Replay(ReplayOptions(files: [files.tape]))
        #expect { try replay.run(progress: .silent) } throws: { "\($0)".contains("13") }
        #expect(replay.partialReport.frames == 12)
    }

    private struct Files {
        var tape: String
        var plans: String
        var directory: URL

        func remove() { try? FileManager.default.removeItem(at: directory) }
    }

    private func madeFiles(frames: Int, plans: String = plans) throws -> Files {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("replay-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        var mix = FrameMix(seed: 11, symbols: 6)
        var text: [UInt8] = []
        for index in 0..<frames {
            var frame: [UInt8] = []
            _ = mix.appendFrame(to: &frame)
            // The mix begins at 09:30 New York; thirty milliseconds a frame.
            let time = 1_763_994_600_000_000_000 + Int64(index) * 30_000_000
            text += Array(#"{"t":\#(time),"src":"polygon.stocks","frame":"#.utf8) + frame + Array("}\n".utf8)
        }
        let tape = directory.appendingPathComponent("made.jsonl")
        try Data(text).write(to: tape)
        let file = directory.appendingPathComponent("plans.json")
        try Data(plans.utf8).write(to: file)
        return Files(tape: tape.path, plans: file.path, directory: directory)
    }

    private func report(_ files: Files, shards: Int, speed: Double? = nil) throws -> ReplayReport {
        try Replay(ReplayOptions(files: [files.tape], speed: speed, plansFile: files.plans, shards: shards))
            .run(progress: .silent)
    }
}
