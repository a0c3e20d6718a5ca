import Foundation
import Journal
import Primitives
import Testing

@Suite struct CheckpointStoreTests {
    private let directory = TemporaryDirectory()

    private func checkpoint(_ n: Ordinal) -> Checkpoint {
        Checkpoint(
            n: n,
            time: Instant(nanos: n * 7),
            position: TapePosition(file: 1, offset: n * 100, line: n),
            layout: 3,
            parts: [
                .init(name: "SPY", bytes: [1, 2, 3]), .init(name: "I:SPX", bytes: []), .init(name: "é", bytes: [0]),
            ]
        )
    }

    @Test func keepsTheNewestTwo() throws {
        let store = try CheckpointStore(directory: directory.path)
        #expect(try store.newest().checkpoint == nil)
        for n in [9, 100, 1000, 20] as [Int64] {
            try store.save(checkpoint(n))
        }
        #expect(try store.newest().checkpoint == checkpoint(1000))
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.path)
        #expect(names.count == 2)
    }

    @Test func everyCutAndEveryFlippedBitFallsBackToTheOlder() throws {
        let store = try CheckpointStore(directory: directory.path)
        try store.save(checkpoint(1))
        try store.save(checkpoint(2))
        let name = "checkpoint-0000000000000000002.bin"
        let whole = try contents(directory.file(name))
        for cut in 0..<whole.count {
            _ = try directory.write(whole[..<cut], to: name)
            let found = try store.newest()
            #expect(found.checkpoint == checkpoint(1) && found.damage.count == 1, "cut at \(cut)")
        }
        for place in whole.indices {
            var damaged = whole
            damaged[place] ^= 1 << UInt8(place % 8)
            _ = try directory.write(damaged, to: name)
            let found = try store.newest()
            #expect(found.checkpoint == checkpoint(1) && found.damage.first?.code == .corrupt, "byte \(place)")
        }
        _ = try directory.write([1, 2], to: "checkpoint-0000000000000000001.bin")
        let none = try store.newest()
        #expect(none.checkpoint == nil && none.damage.count == 2)
    }

    @Test func aCrashWhileWritingLeavesNothingBehind() throws {
        let store = try CheckpointStore(directory: directory.path)
        _ = try directory.write([1, 2, 3], to: "checkpoint-0000000000000000009.bin.tmp")
        #expect(try store.newest().checkpoint == nil)
        try store.save(checkpoint(10))
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.path)
        #expect(names == ["checkpoint-0000000000000000010.bin"])
    }
}
