import Application
import Testing

@Suite struct ProgressMeterTests {
    private final class Screen { var writes: [String] = [] }

    private func show(_ style: ProgressStyle, total: Int64, steps: [Int64]) -> [String] {
        let screen = Screen()
        var meter = ProgressMeter(label: "replay", total: total, style: style) { screen.writes.append($0) }
        for step in steps { meter.update(step) }
        meter.finish("done")
        return screen.writes
    }

    @Test func linesComeAtEachTenth() {
        let writes = show(.lines, total: 1000, steps: Array(stride(from: 0, through: 1000, by: 1)))
        #expect(writes.count == 12)
        #expect(writes[1] == "replay: 10 %\n")
        #expect(writes.last == "replay: done\n")
    }

    @Test func theBarChangesAtEachHundredth() {
        let writes = show(.bar, total: 100_000, steps: Array(stride(from: 0, through: 100_000, by: 7)))
        #expect(writes.count <= 102)
        #expect(writes.dropLast().allSatisfy { $0.hasPrefix("\r") && !$0.contains("\n") })
        #expect(writes.last?.hasSuffix("replay: done\n") == true)
    }

    @Test func quietIsSilent() {
        #expect(show(.silent, total: 10, steps: [0, 5, 10]) == [])
        #expect(ProgressStyle.suited(quiet: true) == .silent)
    }

    @Test func amountsOutOfRangeAreClamped() {
        #expect(show(.lines, total: 0, steps: [-5, 0, 99]) == ["replay: 0 %\n", "replay: 100 %\n", "replay: done\n"])
    }
}
