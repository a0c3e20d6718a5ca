internal import Network
internal import Primitives

/// The socket under a feed's machine: one connection at a time, by its number, and one timer for the machine's deadline.
///
/// What comes of a socket that was given up reaches nobody. Feed loop thread only.
final class FeedSocket: WebSocketClientHandler {
    /// What the socket tells the shell; the machine knows the attempt by its number.
    struct Events {
        var connected: (_ attempt: Int) -> Void
        var text: (_ message: UnsafeRawBufferPointer, _ attempt: Int) -> Void
        /// Closed, or never opened: the close code where there was one, the status where the upgrade was refused.
        var gone: (_ attempt: Int, _ code: UInt16?, _ status: Int?, _ words: String) -> Void
        var timer: () -> Void
    }

    private let loop: EventLoop
    private let clock: () -> Instant
    private var events: Events?
    private var client: WebSocketClient?
    private var attempt = 0
    private var timer: TimerHandle?
    private(set) var counters = FeedCounters()

    init(loop: EventLoop, clock: @escaping () -> Instant) {
        self.loop = loop
        self.clock = clock
    }

    /// Hears from now on; the shell holds this, which holds the closures: `end` breaks the ring.
    func listen(_ events: Events) { self.events = events }

    func connect(_ number: Int, _ options: WebSocketClientOptions) {
        attempt = number
        counters.attempts += 1
        let client = WebSocketClient(loop: loop, options: options, handler: self)
        self.client = client
        client.connect()
    }

    var isConnected: Bool { client?.isConnected == true }

    /// - Returns: false where the frame was not taken.
    func send(_ text: String) -> Bool { client?.send(text) != .closed }

    func close(_ code: UInt16) {
        client?.close(code: code)
        client = nil
    }

    /// Sets the one timer to the machine's deadline.
    func arm(_ deadline: Instant) {
        timer?.cancel()
        guard deadline != .distantFuture else { return }
        let delay = max(1_000_000, deadline.nanos(since: clock()))
        timer = loop.schedule(after: delay) { [weak self] in self?.events?.timer() }
    }

    func end() {
        timer?.cancel()
        events = nil
    }

    func alerted() { counters.alerts += 1 }
    func refused() { counters.refusals += 1 }
    func filtered() { counters.filtered += 1 }

    // MARK: Client

    func connected(_ client: WebSocketClient) {
        guard client === self.client else { return }
        counters.connections += 1
        events?.connected(attempt)
    }

    func text(_ message: UnsafeRawBufferPointer, on client: WebSocketClient) {
        guard client === self.client else { return }
        counters.frames += 1
        counters.bytes += Int64(message.count)
        events?.text(message, attempt)
    }

    func binary(_ message: UnsafeRawBufferPointer, on client: WebSocketClient) {
        // All providers document text frames only; a binary one is counted with the frames and says nothing else.
        guard client === self.client else { return }
        counters.frames += 1
    }

    func closed(_ client: WebSocketClient, code: UInt16, reason: String) {
        guard client === self.client else { return }
        self.client = nil
        events?.gone(attempt, code, nil, reason.isEmpty ? "closed with \(code)" : "closed with \(code): \(reason)")
    }

    func failed(_ client: WebSocketClient, _ description: String) {
        guard client === self.client else { return }
        self.client = nil
        events?.gone(attempt, nil, client.refusedStatus, description)
    }
}
