import Primitives
import Testing
import Wire

@testable import Bus

@Suite struct PartitionFeedTests {
    private static let limits = PartitionFeed.Limits(
        window: 5,
        tailMessages: 8,
        tailBytes: 1 << 20,
        page: 3,
        logEntries: 1_000
    )
    private let plan = Channel(.plan, "p_7Q2")

    private func messages(_ count: Int) -> [Envelope] {
        var writer = EnvelopeWriter()
        return (0..<count).map { _ in writer.durable(plan, .hit, "{}") }
    }

    /// The sequences that the feed sends now, and whether it then asks for the log from where.
    private func drain(_ feed: inout PartitionFeed) -> (sent: [Int64], read: Int64?) {
        var sent: [Int64] = []
        while true {
            switch feed.step() {
            case .send(let sending): sent.append(sending.message.partitionSequence)
            case .read(let from, _, _): return (sent, from)
            case .nothing: return (sent, nil)
            }
        }
    }

    @Test func sendsWhatIsReleasedUpToTheWindow() {
        var feed = PartitionFeed(limits: Self.limits)
        feed.began(at: 0)
        let all = messages(7)
        for message in all { expect(feed.released(message), true) }
        expect(drain(&feed).sent, [])
        expect(feed.foundTop(0, isOtherEpoch: false), .accepted)
        expect(drain(&feed).sent, [1, 2, 3, 4, 5])
        #expect(feed.isBehind && !feed.isDrained)
        feed.confirmed(1, generation: feed.generation)
        feed.confirmed(2, generation: feed.generation)
        expect(drain(&feed).sent, [6, 7])
        for sequence in 3...7 { feed.confirmed(Int64(sequence), generation: feed.generation) }
        #expect(!feed.isBehind && feed.isDrained && feed.pending == 0)
        expect(feed.released(all[3]), false)
    }

    @Test func answersOfAnEarlierConnectionDontCount() {
        var feed = PartitionFeed(limits: Self.limits)
        for message in messages(3) { expect(feed.released(message), true) }
        expect(feed.foundTop(0, isOtherEpoch: false), .accepted)
        expect(drain(&feed).sent, [1, 2, 3])
        let old = feed.generation
        feed.wentOffline()
        #expect(feed.isBehind)
        expect(feed.foundTop(1, isOtherEpoch: false), .accepted)
        feed.confirmed(3, generation: old)
        #expect(feed.acked == 1)
        expect(drain(&feed).sent, [2, 3])
    }

    @Test func whatDoesntFitComesFromTheLog() {
        var feed = PartitionFeed(limits: Self.limits)
        let all = messages(20)
        for message in all { expect(feed.released(message), true) }
        #expect(feed.spilled == 12)
        expect(feed.foundTop(0, isOtherEpoch: false), .accepted)
        expect(drain(&feed).sent, [1, 2, 3, 4, 5])
        for sequence in 1...5 { feed.confirmed(Int64(sequence), generation: feed.generation) }
        let next = drain(&feed)
        #expect(next.sent == [6, 7, 8] && next.read == 9)
        expect(feed.read(Array(all[8..<11]), generation: feed.generation), nil)
        expect(drain(&feed).sent, [9, 10])
    }

    @Test func aBusThatIsAheadIsSaid() {
        var feed = PartitionFeed(limits: Self.limits)
        feed.began(at: 5)
        expect(feed.foundTop(9, isOtherEpoch: false), .ahead(6...9))
        #expect(feed.isBehind && !feed.isOnline)
        expect(feed.foundTop(9, isOtherEpoch: true), .accepted)
        #expect(drain(&feed).read == 1)
    }

    @Test func aLossIsSaidOnceAndSkipped() {
        var feed = PartitionFeed(limits: Self.limits)
        feed.began(at: 10)
        let all = messages(10)
        for _ in 0..<2 {
            expect(feed.foundTop(2, isOtherEpoch: false), .accepted)
            #expect(drain(&feed).read == 3)
            let missing = feed.read(Array(all[5...]), generation: feed.generation)
            #expect(missing == 3...5 || missing == nil)
            guard case .send(let first) = feed.step() else {
                Issue.record("nothing is sent after a loss")
                return
            }
            #expect(first.message.partitionSequence == 6 && first.replacing == 2)
            feed.wentOffline()
        }
    }

    @Test(arguments: 0..<60) func everythingArrivesOnceWhateverHappens(run: Int) {
        let seed = UInt64(run) &* 0x9E37_79B9 &+ UInt64.random(in: 0..<1_000_000)
        var model = FeedModel(seed: seed, limits: Self.limits, messages: messages(400))
        model.run()
        #expect(model.problem == nil, "seed \(seed)")
    }
}

/// A bus, a commit log and a connection in miniature, with faults at random.
private struct FeedModel {
    private struct Command {
        var sending: PartitionFeed.Sending
    }

    private enum Answer {
        case done(Int64, UInt32)
        case duplicate(Int64, UInt32)
        case hole(top: Int64, UInt32)
    }

    private var random: SeededGenerator
    private var feed: PartitionFeed
    private let messages: [Envelope]
    private var released = 0
    /// The log of the bus, what is on the way there, and what is on the way back.
    private var entries: [Int64] = []
    private var wire: [Command] = []
    private var answers: [Answer] = []
    private var reads: [(from: Int64, limit: Int, generation: UInt32)] = []
    private var published: [Int64] = []
    private var isConnected = false
    private(set) var problem: String?

    init(seed: UInt64, limits: PartitionFeed.Limits, messages: [Envelope]) {
        random = SeededGenerator(seed: seed)
        feed = PartitionFeed(limits: limits)
        self.messages = messages
    }

    mutating func run() {
        for _ in 0..<3_000 { step(faults: true) }
        while released < messages.count { release() }
        for _ in 0..<5_000 { step(faults: false) }
        connect()
        for _ in 0..<20_000 where feed.pending > 0 { step(faults: false) }
        check()
    }

    private mutating func check() {
        let last = Int64(messages.count)
        if feed.isBehind || feed.pending > 0 { problem = "not caught up: \(feed.pending) pending" }
        if entries != Array(1...last) { problem = "the log is \(entries.count) long and ends at \(entries.last ?? 0)" }
        var seen: Set<Int64> = []
        var first: [Int64] = []
        for sequence in published where seen.insert(sequence).inserted { first.append(sequence) }
        if first != Array(1...last) {
            let wrong = zip(first, 1...last).first { $0 != $1 }
            problem =
                (problem ?? "") + "; \(first.count) were shown, the first wrong one \(wrong.map { "\($0)" } ?? "-")"
        }
    }

    private mutating func step(faults: Bool) {
        switch Int.random(in: 0..<(faults ? 24 : 16), using: &random) {
        case 0..<3: release()
        case 3..<7: pump()
        case 7..<11: serve()
        case 11..<14: answer()
        case 14..<16: read()
        case 16: disconnect()
        case 17 where Bool.random(using: &random): entries = []
        case 18:
            // Some messages are committed and never released: another start of the engine would know them.
            let count = Int.random(in: 0...3, using: &random)
            released = max(released, min(messages.count - 1, released + count))
        default: if !isConnected { connect() }
        }
    }

    private mutating func release() {
        guard released < messages.count else { return }
        _ = feed.released(messages[released])
        released += 1
    }

    private mutating func connect() {
        guard !isConnected else { return }
        isConnected = true
        wire = []
        answers = []
        look(entries.last ?? 0)
    }

    private mutating func look(_ top: Int64) {
        guard feed.foundTop(top, isOtherEpoch: false) == .accepted else {
            problem = "ahead at \(top)"
            return
        }
    }

    private mutating func disconnect() {
        guard isConnected else { return }
        isConnected = false
        // What was on the way may still arrive, before the next connection's commands.
        for _ in 0..<Int.random(in: 0...wire.count, using: &random) { serve() }
        feed.wentOffline()
    }

    private mutating func pump() {
        guard isConnected else { return }
        while true {
            switch feed.step() {
            case .nothing: return
            case .send(let sending): wire.append(Command(sending: sending))
            case .read(let from, let limit, let generation): reads.append((from, limit, generation))
            }
        }
    }

    /// The script in miniature.
    private mutating func serve() {
        guard !wire.isEmpty else { return }
        let sending = wire.removeFirst().sending
        let sequence = sending.message.partitionSequence
        let top = entries.last ?? 0
        if let replaced = sending.replacing {
            guard top == replaced else { return answers.append(.hole(top: top, sending.generation)) }
            entries = []
        } else if sequence <= top {
            return answers.append(.duplicate(sequence, sending.generation))
        } else if sequence != top + 1 {
            return answers.append(.hole(top: top, sending.generation))
        }
        entries.append(sequence)
        if !sending.wasShown { published.append(sequence) }
        answers.append(.done(sequence, sending.generation))
    }

    private mutating func answer() {
        guard isConnected, !answers.isEmpty else {
            if isConnected, wire.isEmpty, (entries.last ?? 0) != feed.knownTop { look(entries.last ?? 0) }
            return
        }
        switch answers.removeFirst() {
        case .done(let sequence, let generation), .duplicate(let sequence, let generation):
            feed.confirmed(sequence, generation: generation)
        case .hole(let top, let generation): if generation == feed.generation { look(top) }
        }
    }

    private mutating func read() {
        guard !reads.isEmpty else { return }
        let (from, limit, generation) = reads.removeFirst()
        let found = messages[..<released].drop { $0.partitionSequence < from }.prefix(limit)
        if let missing = feed.read(Array(found), generation: generation) { problem = "lost \(missing)" }
    }
}
