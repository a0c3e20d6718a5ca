import Testing

/// Each rule fails on a planted breach, and only there.
@Suite struct RulesTests {
    private func lines(_ rule: Rule, _ path: String, _ text: String) -> [Int] {
        rule.check(SourceFile(path, text)).map(\.line)
    }

    @Test func length() {
        let text = String(repeating: "let x = 1\n", count: 500)
        #expect(lines(.length, "Sources/Wire/A.swift", text) == [])
        #expect(lines(.length, "Sources/Wire/A.swift", text + "\n") == [0])
        #expect(lines(.length, "Tests/WireTests/A.swift", text + "x") == [0])
    }

    @Test(arguments: [
        "// TO" + "DO: x", "let fix" + "me = 1 // FIX" + "ME", "/// Not " + "implemented.", "// for " + "now",
    ])
    func unfinished(line: String) {
        #expect(lines(.unfinished, "Sources/Wire/A.swift", "let a = 1\n\(line)\n") == [2])
    }

    @Test func unfinishedWordsInsideOthersDoNotCount() {
        #expect(lines(.unfinished, "Sources/Network/A.swift", "        case 501: \"Not " + "Implemented\"") == [])
        #expect(lines(.unfinished, "Sources/Wire/A.swift", "let toDoubles = 1 // waits for nowhere") == [])
    }

    @Test(arguments: [
        ("Primitives", "import MarketData"), ("MarketData", "internal import Telemetry"),
        ("Plans", "package import Wire"),
        ("Wire", "@preconcurrency import SymbolCore"), ("Engine", "internal import struct Journal.Tape"),
        ("Bus", "private import Engine"), ("Network", "@testable internal import Bus"),
        ("Gateway", "import Application;"),
    ])
    func imports(target: String, line: String) {
        #expect(lines(.imports, "Sources/\(target)/A.swift", "// header\n\(line)\n") == [2])
    }

    @Test func importsDownwardsAreFine() {
        #expect(
            lines(.imports, "Sources/Wire/A.swift", "import Primitives\npackage import Plans\nimport Synchronization")
                == []
        )
        #expect(lines(.imports, "Sources/Primitives/A.swift", "// import Wire\nlet a = \"import Wire\"") == [])
        #expect(lines(.imports, "Tests/PrimitivesTests/A.swift", "import Application") == [])
        #expect(lines(.imports, "Sources/Nowhere/A.swift", "") == [0])
    }

    @Test func owners() {
        #expect(lines(.owners, "Sources/Gateway/A.swift", "internal import CLibWebSockets") == [1])
        #expect(lines(.owners, "Sources/Application/A.swift", "internal import CJemalloc\nimport GRDB") == [1, 2])
        #expect(lines(.owners, "Sources/Network/A.swift", "internal import CLibWebSockets") == [])
    }

    @Test func pureImports() {
        #expect(lines(.pureImports, "Sources/Plans/A.swift", "import Primitives\ninternal import Foundation") == [2])
        #expect(lines(.pureImports, "Sources/Primitives/Rings.swift", "import Glibc") == [1])
        #expect(lines(.pureImports, "Sources/Analytics/A.swift", "internal import func Glibc.log") == [])
        #expect(lines(.pureImports, "Sources/Analytics/A.swift", "internal import func Glibc.clock_gettime") == [1])
        #expect(lines(.pureImports, "Sources/Primitives/Lock.swift", "internal import Glibc") == [])
        #expect(lines(.pureImports, "Sources/Telemetry/A.swift", "internal import Glibc") == [])
    }

    @Test(arguments: [
        "let t = Date()", "let t = Date.now", "clock_gettime(CLOCK_REALTIME, &t)", "let c = ContinuousClock()",
        "var g = SystemRandomNumberGenerator()", "let r = Int.random(in: 0..<5)", "let s = a.shuffled()", "print(a)",
        "let f = fopen(path, \"r\")", "Task { await x() }", "let id = UUID()",
    ])
    func pureCalls(line: String) {
        #expect(lines(.pureCalls, "Sources/Analytics/A.swift", "let a = 1\n\(line)\n") == [2])
        #expect(lines(.pureCalls, "Sources/Engine/A.swift", "let a = 1\n\(line)\n") == [])
    }

    @Test(arguments: [
        "let r = Int.random(in: 0..<5, using: &generator)", "// print(a)", "let s = \"print(\"", "blueprint(a)",
        "let d = LocalDate(a)", "/// Not a Date() at all.", "func tradeDate(_ a: Int) {}",
    ])
    func pureCallsLeavesOthersAlone(line: String) {
        #expect(lines(.pureCalls, "Sources/Analytics/A.swift", line) == [])
    }

    @Test func textOverSeveralLinesIsNoCode() {
        let text = "let a = \"\"\"\n    print(x)\n    \"\"\"\nprint(a)\n"
        #expect(lines(.pureCalls, "Sources/Wire/A.swift", text) == [4])
    }

    @Test(arguments: ["// as Polygon does", "let massiveURL = 1", "case unusualWhales", "let ib_port = 1", "x.uw_flow"])
    func vendors(line: String) {
        #expect(lines(.vendors, "Sources/Engine/A.swift", "let a = 1\n\(line)\n").contains(2))
        #expect(lines(.vendors, "Sources/Feeds/A.swift", line) == [])
    }

    @Test func vendorPrefixesInsideWordsDoNotCount() {
        #expect(lines(.vendors, "Sources/Engine/A.swift", "let calib_price = 1; let drib_x = 2") == [])
    }

    @Test func machines() {
        let machine = SourceFile("Sources/Plans/Core/PlanMachine.swift", "struct PlanMachine {}")
        let other = SourceFile("Sources/Feeds/Link.swift", "switch consume self.state {\n}")
        let plain = SourceFile("Sources/Plans/Plan.swift", "/// switch consume self.state\nstruct Plan {}")
        let tests = SourceFile("Tests/PlansTests/Core/PlanMachineTests.swift", "")
        let wrong = SourceFile("Tests/WireTests/LinkTests.swift", "")
        #expect(MirrorRule.breaches([machine, other, plain, wrong]).map(\.path) == [machine.path, other.path])
        #expect(MirrorRule.breaches([machine, plain, tests]) == [])
        // A connection decides in a pure target; in a shell it is a socket.
        let pure = SourceFile("Sources/FeedProtocols/FeedConnection.swift", "")
        let shell = SourceFile("Sources/Network/ServerConnection.swift", "")
        #expect(MirrorRule.breaches([pure, shell]).map(\.path) == [pure.path])
    }
}
