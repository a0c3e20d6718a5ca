import Application
import Foundation
import Testing

@Suite struct TapeCutTests {
    private let directory = NSTemporaryDirectory() + "tape-cut-" + UUID().uuidString
    /// 2013-10-08 10:00 in New York.
    private let start: Int64 = 1_381_240_800_000_000_000

    /// A minute of a tape: each second a frame with two symbols and a contract, a clock, now and then a command.
    private func tape() throws -> String {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        var text = #"{"t":0,"meta":{"v":1,"ep":"e","run":"r"}}"# + "\n"
        var n = 0
        func line(_ t: Int64, _ body: String) {
            text += "{\"t\":\(t),\"n\":\(n),\(body)}\n"
        }
        for second in 0..<60 {
            let t = start + Int64(second) * 1_000_000_000
            n += 1
            line(t, #""clock":true"#)
            n += 1
            let events = ["SPY", "QQQ", "O:SPY131019C00145000"].map {
                #"{"ev":"T","sym":"\#($0)","x":4,"i":"\#(second)","z":2,"p":145,"s":100,"t":\#(t / 1_000_000),"q":\#(second + 1)}"#
            }
            line(t, #""src":"polygon.stocks","frame":["# + events.joined(separator: ",") + "]")
            n += 2
            if second % 20 == 0 {
                n += 1
                let symbol = second == 20 ? "QQQ" : "SPY"
                line(
                    t,
                    #""cmd":{"op":"create","id":"c\#(n)","owner":"u","body":{"id":"p_\#(second)","symbol":"\#(symbol)"}}"#
                )
                n += 1
                line(t, #""cmd":{"op":"cancel","id":"x\#(n)","owner":"u","body":{"id":"p_\#(second)"}}"#)
            }
        }
        let path = directory + "/t.jsonl"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    private func cut(_ from: String?, _ to: String?, _ symbols: [String] = []) throws -> [String] {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let out = directory + "/out.jsonl"
        let options = TapeCut.Options(files: [try tape()], from: from, to: to, symbols: symbols, out: out)
        let summary = try TapeCut.run(options, progress: .silent)
        #expect(summary.damage.isEmpty && summary.unreadable == 0)
        let lines = try String(contentsOfFile: out, encoding: .utf8).split(separator: "\n").map(String.init)
        #expect(summary.lines == Int64(lines.count))
        return lines
    }

    @Test(arguments: [
        ("10:00:20", "10:00:40"), ("1381240820000000000", "1381240840000000000"),
        ("2013-10-08T14:00:20Z", "2013-10-08T10:00:40-04:00"),
    ])
    func everyFormOfATimeMeansTheSame(from: String, to: String) throws {
        let lines = try cut(from, to)
        #expect(lines.first?.contains("\"meta\"") == true)
        #expect(lines.count == 1 + 20 * 2 + 2)
        #expect(lines[1].contains("\"t\":1381240820000000000,"))
        #expect(lines.last?.contains("\"t\":1381240839000000000,") == true)
    }

    @Test func ordinalsCutToo() throws {
        let lines = try cut("n:5", "n:9")
        #expect(
            lines.dropFirst().allSatisfy {
                $0.contains("\"n\":5,") || $0.contains("\"n\":6,") || $0.contains("\"n\":7,") || $0.contains("\"n\":8,")
            }
        )
        #expect(lines.count > 2)
    }

    @Test func aSymbolBringsItsContractsAndPlansAndNothingElse() throws {
        let lines = try cut(nil, nil, ["SPY"])
        let frames = lines.filter { $0.contains("\"frame\"") }
        #expect(frames.count == 60)
        #expect(
            frames.allSatisfy { $0.contains("\"SPY\"") && $0.contains("O:SPY131019C00145000") && !$0.contains("QQQ") }
        )
        #expect(lines.filter { $0.contains("\"clock\"") }.count == 60)
        #expect(lines.filter { $0.contains("\"cmd\"") }.count == 4)
        // Ordinals count what is left out too: they are given anew when the cut is read.
        #expect(lines.allSatisfy { !$0.contains("\"n\":") })
    }

    @Test(arguments: ["noon", "25:00", "10:61", "10:00:7", "n:x", "n:0", "-5", ""])
    func whatIsNoTimeIsRefused(text: String) throws {
        #expect(throws: ReplayError.self) { try cut(text, nil) }
    }
}
