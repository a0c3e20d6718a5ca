package import Network

/// Follows channels of a gateway until it is stopped: the shell of `TailMachine` on a loop.
///
/// Any thread; events come on the loop.
package final class WebSocketTail: WebSocketClientHandler, @unchecked Sendable {
    // Unchecked: everything but the constants is touched by the loop thread only.
    private let loop: EventLoop
    private let options: WebSocketClientOptions
    private let heard: @Sendable (TailMachine.Event) -> Void
    private let ended: @Sendable (String) -> Void
    private var machine: TailMachine
    private var client: WebSocketClient?
    private var isStopped = false

    /// Makes a follower that doesn't follow yet.
    ///
    /// - Parameters:
    ///   - loop: where it runs.
    ///   - url: the gateway's `/ws`.
    ///   - channels: what to follow.
    ///   - token: the API key, where one is needed.
    ///   - heard: called with each event, on the loop.
    ///   - ended: called once when connecting again would not help, with the reason.
    package init(
        loop: EventLoop,
        url: WebSocketURL,
        channels: [String],
        token: String? = nil,
        heard: @escaping @Sendable (TailMachine.Event) -> Void,
        ended: @escaping @Sendable (String) -> Void
    ) {
        self.loop = loop
        var options = WebSocketClientOptions(url: url)
        options.subprotocol = "striketape.v1"
        self.options = options
        self.heard = heard
        self.ended = ended
        machine = TailMachine(channels: channels, token: token)
    }

    package func start() {
        loop.execute { [self] in
            client = WebSocketClient(loop: loop, options: options, handler: self)
            connect()
        }
    }

    /// Closes and stays closed; idempotent.
    package func stop() {
        loop.execute { [self] in
            isStopped = true
            client?.close()
            client = nil
        }
    }

    private func connect() {
        guard !isStopped, let client, !client.isBusy else { return }
        client.connect()
    }

    private func lost(code: UInt16?, reason: String) {
        guard !isStopped else { return }
        heard(.note("connection lost: \(code.map { "\($0) " } ?? "")\(reason)"))
        switch machine.ended(code: code, reason: reason, jitter: Double.random(in: 0...1)) {
        case .connect(let nanos): loop.schedule(after: nanos) { [weak self] in self?.connect() }
        case .stop(let why):
            isStopped = true
            ended(why)
        }
    }

    // MARK: On the loop

    package func connected(_ client: WebSocketClient) {
        for frame in machine.connected() { client.send(frame) }
    }

    package func text(_ message: UnsafeRawBufferPointer, on client: WebSocketClient) {
        for event in machine.received(message) { heard(event) }
    }

    package func binary(_ message: UnsafeRawBufferPointer, on client: WebSocketClient) {
        heard(.note("a binary message of \(message.count) bytes, which a gateway doesn't send"))
    }

    package func closed(_ client: WebSocketClient, code: UInt16, reason: String) { lost(code: code, reason: reason) }

    package func failed(_ client: WebSocketClient, _ description: String) { lost(code: nil, reason: description) }
}
