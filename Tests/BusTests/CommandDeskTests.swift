import Testing
import Wire

@testable import Bus

@Suite struct CommandDeskTests {
    @Test func executesOnceAndRemembers() {
        var desk = CommandDesk(limits: BusLimits())
        expect(desk.came(command("a")), .execute)
        expect(desk.came(command("a")), .wait)
        expect(desk.answered("a", payload: [1]), true)
        expect(desk.answered("a", payload: [2]), false)
        expect(desk.answered("b", payload: [2]), false)
        expect(desk.came(command("a")), .answer([1]))
        expect(desk.came(command("a", "{1}")), .refuse(CommandDesk.failure(.conflict)))
        #expect(desk.executing == 0)
    }

    @Test func refusesTooMany() {
        var limits = BusLimits()
        limits.commandsMax = 1
        var desk = CommandDesk(limits: limits)
        expect(desk.came(command("a")), .execute)
        expect(desk.came(command("b")), .refuse(CommandDesk.failure(.unavailable)))
        expect(desk.answered("a", payload: []), true)
        expect(desk.came(command("b")), .execute)
    }

    @Test func forgetsTheOldestByCountAndByBytes() {
        var limits = BusLimits()
        limits.answersMax = 2
        limits.answersBytesMax = 100
        var desk = CommandDesk(limits: limits)
        for id in ["a", "b", "c"] {
            expect(desk.came(command(id)), .execute)
            expect(desk.answered(id, payload: [7]), true)
        }
        expect(desk.came(command("c")), .answer([7]))
        expect(desk.came(command("b")), .answer([7]))
        expect(desk.came(command("a")), .execute)
        expect(desk.answered("a", payload: [UInt8](repeating: 0, count: 200)), true)
        expect(desk.came(command("c")), .execute)
    }

    @Test func manyAnswersDontPileUp() {
        var limits = BusLimits()
        limits.answersMax = 10
        var desk = CommandDesk(limits: limits)
        for i in 0..<5_000 {
            expect(desk.came(command("\(i)")), .execute)
            expect(desk.answered("\(i)", payload: []), true)
        }
        expect(desk.came(command("4999")), .answer([]))
        expect(desk.came(command("4989")), .execute)
    }
}
