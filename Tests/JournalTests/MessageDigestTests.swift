import Journal
import Primitives
import Testing
import Wire

@Suite struct MessageDigestTests {
    private func envelope(_ channel: Channel, _ text: String, _ outputClass: OutputClass) -> Envelope {
        Envelope(
            channel: channel,
            type: .hit,
            outputClass: outputClass,
            offset: 1,
            partitionSequence: 1,
            n: 1,
            index: 0,
            bytes: Array(text.utf8)
        )
    }

    private func hex(_ text: String) -> String { SHA256.hex(SHA256.digest(Array(text.utf8))) }

    @Test func sha256IsTheStandards() {
        // FIPS 180-4's examples.
        #expect(hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        var hash = SHA256()
        hash.update(Array("a".utf8))
        #expect(SHA256.hex(hash.digest()) == hex("a"))
        hash.update(Array("bc".utf8))
        #expect(SHA256.hex(hash.digest()) == hex("abc"))
    }

    @Test func isAsDefined() {
        var digest = MessageDigest()
        #expect(digest.digest == hex(""))
        digest.add(envelope(Channel(.symbol, "SPY"), "s1", .conflatable))
        digest.add(envelope(Channel(.plan, "b"), "b1", .durable))
        digest.add(envelope(Channel(.plan, "a"), "a1", .durable))
        digest.add(envelope(Channel(.plan, "b"), "state", .state))
        digest.add(envelope(Channel(.plan, "b"), "b2", .conflatable))
        digest.add(envelope(Channel(.plan, "b"), "b3", .durable))
        #expect(digest.digest == hex("plan:a\t\(hex("a1\n"))\nplan:b\t\(hex("b1\nb3\n"))\n"))
        let all = "plan:a\t\(hex("a1\n"))\nplan:b\t\(hex("b1\nb2\nb3\n"))\nsymbol:SPY\t\(hex("s1\n"))\n"
        #expect(digest.digestAll == hex(all))
        #expect(digest.durableCount == 3 && digest.conflatableCount == 2)
    }

    @Test func theReplaySinkWritesEveryMessage() throws {
        let directory = TemporaryDirectory()
        let next = CollectingSink()
        let sink = try ReplaySink(out: directory.file("out"), next: next)
        sink.release([
            envelope(Channel(.plan, "a"), "one", .durable), envelope(Channel(.plan, "a"), "two", .state),
            envelope(Channel(.plans, "u"), "three", .durable), envelope(Channel(.plan, "a"), "four", .conflatable),
        ])
        let summary = sink.summary()
        #expect(try contents(directory.file("out")) == Array("one\nthree\nfour\n".utf8))
        #expect(summary.durable == 2 && summary.conflatable == 1 && summary.hits == 1 && summary.failure == nil)
        #expect(next.entries.count == 4)
        #expect(throws: JournalError.self) { try ReplaySink(out: directory.file("none/out")) }
        let full = try ReplaySink(out: "/dev/full")
        full.release([envelope(Channel(.plan, "a"), "one", .durable)])
        #expect(full.summary().failure?.code == .unwritable)
    }
}
