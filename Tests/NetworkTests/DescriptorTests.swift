import Glibc
import Network
import Primitives
import Testing

/// A loop that ends closes its own descriptors, each once: a second close hits what another thread has opened since.
@Suite struct DescriptorTests {
    /// Takes the numbers that a context gave back while the library still has its closing callbacks to run.
    @Test func anEndingLoopClosesNothingTwice() async throws {
        let held = Lock<[Held]>([])
        defer { for one in held.withLock({ $0 }) { _ = one.close() } }
        try await withBench { bench in
            // Added before those of the contexts, so run after them, in the same turn of the loop.
            for loop in [bench.loop, bench.serverLoop] {
                try loop.sync {
                    loop.addCloser { held.withLock { $0 += (0..<64).compactMap { _ in Held() } } }
                }
            }
            let (_, events) = try bench.connect(to: try bench.serve())
            try await events.wait(for: "connected")
        }
        let all = held.withLock { $0 }
        #expect(all.count == 128)
        #expect(all.count { !$0.isStillOurs } == 0)
    }

    /// Many loops with a context end while another thread opens and closes.
    @Test func descriptorsOfOtherThreadsSurviveEndingLoops() throws {
        let isOver = Lock(false)
        let lost = Lock((rounds: 0, lost: 0))
        let other = EventLoop(name: "other")
        other.start()
        other.execute {
            while !isOver.withLock({ $0 }) {
                let some = (0..<16).compactMap { _ in Held() }
                let missing = some.count { !$0.isStillOurs }
                let refused = some.count { !$0.close() }
                lost.withLock { $0 = ($0.rounds + 1, $0.lost + max(missing, refused)) }
            }
        }
        defer {
            isOver.withLock { $0 = true }
            other.stop()
            other.join()
        }
        for _ in 0..<100 {
            let loop = EventLoop(name: "short")
            loop.start()
            try loop.sync {
                let server = WebServer(loop: loop, options: WebServerOptions(), handler: Silent())
                try server.listen()
            }
            loop.stop()
            loop.join()
            #expect(!loop.counters.endedUnclosed)
        }
        let seen = lost.withLock { $0 }
        #expect(seen.rounds > 0)
        #expect(seen.lost == 0)
    }
}

/// The descriptor of a socket, recognised by its inode.
private struct Held {
    private let descriptor: Int32
    private let inode: ino_t

    /// Nil when the system gives none.
    init?() {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0, let inode = Self.inode(of: descriptor) else { return nil }
        self.inode = inode
    }

    var isStillOurs: Bool { Self.inode(of: descriptor) == inode }

    /// Closes it unless the number has become someone else's; false then.
    func close() -> Bool { isStillOurs && Glibc.close(descriptor) == 0 }

    private static func inode(of descriptor: Int32) -> ino_t? {
        var status = stat()
        return fstat(descriptor, &status) == 0 ? status.st_ino : nil
    }
}

/// A server's handler that nobody asks.
private final class Silent: WebServerHandler {
    func request(_ request: HTTPRequest, _ responder: HTTPResponder) {}
    func opened(_ connection: WebSocketConnection) {}
    func received(_ message: UnsafeRawBufferPointer, isText: Bool, on connection: WebSocketConnection) {}
    func writable(_ connection: WebSocketConnection) {}
    func closed(_ connection: WebSocketConnection, code: UInt16, reason: String) {}
}
