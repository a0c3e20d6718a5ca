import Feeds
import Foundation
import Testing

@Suite struct FileLeaseTests {
    private let directory = FileManager.default.temporaryDirectory.appendingPathComponent("leases-\(UUID())").path

    @Test func oneOwnerAtATimeAndATokenThatGrows() async throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let first = FileLease(directory: directory, name: "polygon.stocks-1")
        let second = FileLease(directory: directory, name: "polygon.stocks-1")
        let other = FileLease(directory: directory, name: "polygon.options-1")
        #expect(try await first.acquire() == 1)
        #expect(try await first.acquire() == 1)
        #expect(try await second.acquire() == nil)
        #expect(try await other.acquire() == 1)
        await first.release()
        #expect(try await second.acquire() == 2)
        #expect(try await first.acquire() == nil)
    }

    @Test func aPlaceThatCannotBeWrittenIsNamed() async {
        let lease = FileLease(directory: "/proc/nowhere", name: "x")
        await #expect { try await lease.acquire() } throws: { "\($0)".contains("/proc/nowhere/x.lease") }
    }
}
