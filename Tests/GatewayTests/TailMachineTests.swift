import Gateway
import Primitives
import Testing
import Wire

@Suite struct TailMachineTests {
    private func frame(_ offset: Int64, _ type: MessageType = .hit, epoch: String = "e") -> [UInt8] {
        var out: [UInt8] = [UInt8(ascii: "[")]
        Envelope.encode(
            channel: Array("plans:local".utf8),
            epoch: epoch,
            position: .durable(offset: offset),
            n: offset,
            type: type,
            time: .zero,
            payload: Array("{}".utf8),
            into: &out
        )
        return out + [UInt8(ascii: "]")]
    }

    private func texts(_ events: [TailMachine.Event]) -> [String] {
        events.map {
            switch $0 {
            case .message(let header, _): "\(header.type.name) \(header.offset ?? -1)"
            case .gap(let channel, let from, let to, let reason): "gap \(channel) \(from) \(to ?? -1) \(reason)"
            case .note(let text): text
            }
        }
    }

    @Test func asksForItsChannelsAndSaysWhoItIs() {
        let machine = TailMachine(channels: ["plans", "health"], token: "k")
        #expect(
            machine.connected() == [
                #"{"id":1,"op":"auth","token":"k"}"#, #"{"id":1,"op":"subscribe","channels":["plans","health"]}"#,
            ]
        )
        #expect(TailMachine(channels: ["health"]).connected().count == 1)
    }

    @Test func whatIsKnownIsDroppedAndCounted() {
        var machine = TailMachine(channels: ["plans"])
        #expect(texts(machine.received(frame(4, .snapshot))) == ["snapshot 4"])
        #expect(texts(machine.received(frame(5))) == ["hit 5"])
        #expect(machine.received(frame(5)).isEmpty && machine.received(frame(3)).isEmpty)
        #expect(machine.known == 2)
        #expect(texts(machine.received(frame(1, epoch: "f"))) == ["hit 1"])
    }

    @Test func whatWasMissedWhileAwayIsSaid() {
        var machine = TailMachine(channels: ["plans"])
        _ = machine.received(frame(4, .snapshot))
        _ = machine.ended(code: 1006, reason: "", jitter: 0)
        #expect(texts(machine.received(frame(4, .snapshot))) == ["snapshot 4"])
        _ = machine.ended(code: 1006, reason: "", jitter: 0)
        #expect(texts(machine.received(frame(7, .snapshot))) == ["gap plans:local 5 7 reconnected", "snapshot 7"])
        _ = machine.ended(code: 1006, reason: "", jitter: 0)
        let events = texts(machine.received(frame(0, .snapshot, epoch: "f")))
        #expect(events == ["gap plans:local 8 -1 reconnected", "snapshot 0"])
    }

    @Test func waitsLongerEachTimeUntilItIsAnswered() {
        var machine = TailMachine(channels: ["plans"])
        var waits: [Int64] = []
        for _ in 0..<10 {
            guard case .connect(let nanos) = machine.ended(code: nil, reason: "refused", jitter: 1) else { continue }
            waits.append(nanos / 1_000_000)
        }
        #expect(waits == [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000, 15_000])
        _ = machine.received(ServerReply.subscribed(id: .null, []).wrapped)
        #expect(machine.ended(code: 1012, reason: "", jitter: 0) == .connect(afterNanos: 125_000_000))
    }

    @Test(arguments: [4001, 4003, 4004])
    func stopsWhereComingBackWouldNotHelp(_ code: UInt16) {
        var machine = TailMachine(channels: ["plans"])
        #expect(machine.ended(code: code, reason: "why", jitter: 0) == .stop("\(code) why"))
    }

    @Test func errorsGapsAndRubbishAreShown() {
        var machine = TailMachine(channels: ["plans"])
        let error = ServerReply.error(id: .null, code: "unknown_channel", message: "no", channel: "x:y").wrapped
        #expect(texts(machine.received(error)) == ["x:y: no (unknown_channel)"])
        _ = machine.received(frame(1, .snapshot))
        let gap = ServerReply.gap(channel: Channel(.plans, "local"), from: 2, to: 3, reason: .slowClient).wrapped
        #expect(texts(machine.received(gap)) == ["gap plans:local 2 3 slow_client"])
        #expect(machine.received(frame(3)).isEmpty)
        #expect(texts(machine.received(frame(4))) == ["hit 4"])
        #expect(texts(machine.received(Array("{".utf8)))[0].contains("could not be understood"))
    }
}

extension [UInt8] {
    /// As the only element of a frame.
    fileprivate var wrapped: [UInt8] { [UInt8(ascii: "[")] + self + [UInt8(ascii: "]")] }
}
