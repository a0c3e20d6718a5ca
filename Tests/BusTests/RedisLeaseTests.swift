import Bus
import MarketData
import Network
import Testing

@Suite(.serialized, .enabled(if: RedisServer.isInstalled)) struct RedisLeaseTests {
    private func lease(
        _ owner: String,
        life: Int64 = 60_000,
        on server: RedisServer,
        _ loop: EventLoop
    ) throws -> RedisLease {
        RedisLease(
            name: "feed:polygon.stocks",
            owner: owner,
            timeToLiveMillis: life,
            options: RedisOptions(url: try RedisURL(server.url)),
            loop: loop
        )
    }

    /// The first askings come before there is a connection.
    private func answer(of lease: RedisLease) async throws -> Int64? {
        for _ in 0..<500 {
            do { return try await lease.acquire() } catch { try await Task.sleep(for: .milliseconds(10)) }
        }
        return try await lease.acquire()
    }

    @Test func oneOwnerATokenThatGrowsAndAnEnd() async throws {
        let server = try await RedisServer()
        defer { server.stop() }
        let loop = EventLoop(name: "lease")
        loop.start()
        defer {
            loop.stop()
            loop.join()
        }
        let (first, second) = (try lease("a", on: server, loop), try lease("b", on: server, loop))
        #expect(try await answer(of: first) == 1)
        #expect(try await first.acquire() == 1)
        #expect(try await answer(of: second) == nil)
        await first.release()
        #expect(try await second.acquire() == 2)
        // What isn't ours stays.
        await first.release()
        #expect(try server.command(["GET", "st:lease:{feed:polygon.stocks}"]) == "b 2")
        await second.release()
        #expect(try server.command(["EXISTS", "st:lease:{feed:polygon.stocks}"]) == "0")
    }

    @Test func itExpiresWithoutARenewal() async throws {
        let server = try await RedisServer()
        defer { server.stop() }
        let loop = EventLoop(name: "lease")
        loop.start()
        defer {
            loop.stop()
            loop.join()
        }
        let (first, second) = (try lease("a", life: 50, on: server, loop), try lease("b", on: server, loop))
        #expect(try await answer(of: first) == 1)
        var token: Int64?
        for _ in 0..<500 where token == nil {
            token = try await answer(of: second)
            if token == nil { try await Task.sleep(for: .milliseconds(10)) }
        }
        #expect(token == 2)
        #expect(try await first.acquire() == nil)
        await first.release()
        await second.release()
    }

    @Test func withoutRedisItFailsWithACause() async throws {
        let loop = EventLoop(name: "lease")
        loop.start()
        defer {
            loop.stop()
            loop.join()
        }
        let lease = RedisLease(
            name: "x",
            owner: "a",
            timeToLiveMillis: 1_000,
            options: RedisOptions(url: try RedisURL("redis://127.0.0.1:1")),
            loop: loop
        )
        await #expect { try await lease.acquire() } throws: { "\($0)".contains("Redis doesn't answer") }
        await lease.release()
    }
}
