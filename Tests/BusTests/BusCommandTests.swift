import Bus
import MarketData
import Primitives
import Testing
import Wire

/// Commands and their answers, over every bus.
@Suite(.serialized) struct BusCommandTests {
    /// A bus whose engine answers what `answer` says.
    private func withAnsweringBus(
        _ kind: BusKind,
        limits: BusLimits = BusLimits(),
        answer: @escaping @Sendable (Command) -> String?,
        _ body: (Harness) async throws -> Void
    ) async throws {
        let bus = Lock<(any MessageBus)?>(nil)
        let engine = RecordingEngine { command in
            guard let text = answer(command) else { return }
            bus.withLock { $0 }?.reply(to: command.id, payload: Array(text.utf8))
        }
        try await withBus(kind, limits: limits, engine: engine) { harness in
            let engineBus = harness.engineBus
            bus.withLock { $0 = engineBus }
            try await body(harness)
        }
    }

    @Test(arguments: BusKind.installed) func isAnswered(kind: BusKind) async throws {
        try await withAnsweringBus(kind, answer: { #"{"ok":true,"id":"\#($0.id)"}"# }) { bus in
            let sent = Command(operation: .amend, id: "c-1", owner: "u:7", body: Array(#"{"stop":"1.5"}"#.utf8))
            let payload = try await bus.gatewayBus.submit(sent)
            #expect(String(decoding: payload, as: UTF8.self) == #"{"ok":true,"id":"c-1"}"#)
            #expect(bus.engine.heard.value.commands == [sent])
        }
    }

    @Test(arguments: BusKind.installed) func manyAtOnceGetTheirOwnAnswers(kind: BusKind) async throws {
        try await withAnsweringBus(kind, answer: { "{\($0.id)}" }) { bus in
            let answers = try await withThrowingTaskGroup(of: (Int, [UInt8]).self) { group in
                for i in 0..<200 {
                    group.addTask { (i, try await bus.gatewayBus.submit(command("id\(i)"))) }
                }
                return try await group.reduce(into: [Int: [UInt8]]()) { $0[$1.0] = $1.1 }
            }
            for i in 0..<200 { #expect(answers[i] == Array("{id\(i)}".utf8)) }
            #expect(bus.engine.heard.value.commands.count == 200)
        }
    }

    @Test(arguments: BusKind.installed) func theSameIDIsExecutedOnce(kind: BusKind) async throws {
        try await withAnsweringBus(kind, answer: { _ in #"{"ok":true}"# }) { bus in
            let first = try await bus.gatewayBus.submit(command("same"))
            let second = try await bus.gatewayBus.submit(command("same"))
            #expect(first == second)
            let third = try await bus.gatewayBus.submit(command("same", #"{"other":1}"#))
            #expect(String(decoding: third, as: UTF8.self).contains("conflict"))
            #expect(bus.engine.heard.value.commands.count == 1)
        }
    }

    @Test(arguments: BusKind.installed) func twoAskersShareOneAnswer(kind: BusKind) async throws {
        try await withAnsweringBus(kind, answer: { _ in nil }) { bus in
            async let first = bus.gatewayBus.submit(command("shared"))
            async let second = bus.gatewayBus.submit(command("shared"))
            try await bus.engine.heard.wait("it comes") { $0.commands.count == 1 }
            bus.engineBus.reply(to: "shared", payload: Array("{}".utf8))
            let answers = try await [first, second]
            #expect(answers == [Array("{}".utf8), Array("{}".utf8)])
            #expect(bus.engine.heard.value.commands.count == 1)
        }
    }

    @Test(arguments: BusKind.installed) func noAnswerTimesOut(kind: BusKind) async throws {
        var limits = BusLimits()
        limits.replyMillis = 200
        try await withAnsweringBus(kind, limits: limits, answer: { _ in nil }) { bus in
            let error = await #expect(throws: BusError.self) { try await bus.gatewayBus.submit(command("silent")) }
            #expect(error?.code == .timedOut)
        }
    }

    @Test(arguments: BusKind.installed) func tooManyAreRefused(kind: BusKind) async throws {
        var limits = BusLimits()
        limits.commandsMax = 2
        try await withAnsweringBus(kind, limits: limits, answer: { _ in nil }) { bus in
            let waiting = (0..<2).map { i in Task { try await bus.gatewayBus.submit(command("w\(i)")) } }
            try await bus.engine.heard.wait("two come") { $0.commands.count == 2 }
            let error = await #expect(throws: BusError.self) { try await bus.gatewayBus.submit(command("third")) }
            #expect(error?.code == .tooMany)
            for i in 0..<2 { bus.engineBus.reply(to: "w\(i)", payload: []) }
            for task in waiting { #expect(try await task.value == []) }
        }
    }
}
