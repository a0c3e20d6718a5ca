internal import Glibc
internal import Primitives

/// One attempt of a client: name, addresses in turn, handshake, connection; loop thread only.
///
/// The hub keeps it alive until it has told its end.
final class ClientSocket: ClientTransportOwner {
    private enum Phase {
        case resolving
        /// Trying `addresses[next - 1]`: route and TLS.
        case connecting
        /// The request is out, `handshake` reads the answer.
        case shaking
        case open
        /// Our close frame is out; what still comes is thrown away but for the peer's.
        case closing(since: Int64)
        /// Told its end.
        case over
    }

    /// How far an attempt came: of several addresses the failure nearest to success is told.
    private enum Stage: Int {
        case nothing
        case route
        case handshake
    }

    /// Kept alive until the end is told.
    private let client: WebSocketClient
    private let hub: ClientHub
    private var phase = Phase.resolving
    private var addresses: [String] = []
    private var next = 0
    private var failure: (stage: Stage, words: String) = (.nothing, "no address")
    /// For the whole way to the connection, and for one address where there are more.
    private var deadline: TimerHandle?
    private var addressDeadline: TimerHandle?
    private var started: Int64 = 0
    private var transport: ClientTransport?
    private var handshake: WebSocketHandshake?
    /// What an address tried before answered instead of an upgrade.
    private var refusedStatus: Int?
    /// nil while a read goes through it.
    private var reader: WebSocketFrameReader?
    private var random = SystemRandomNumberGenerator()
    private var lastBytes: Int64 = 0
    private var lastPing: Int64 = 0
    /// When the handshake was refused, as the words of a refusal are waited for a moment only.
    private var refusedAt: Int64 = 0
    /// What is told at the end: ours, once we close.
    private var ours: (code: UInt16, reason: String) = (WebSocketCloseCode.none, "")

    /// Bytes that may wait when a pong is added; with more, a ping goes unanswered (RFC 6455, 5.5.3, allows that).
    private static let pongBacklogMax = 65_536
    private static let refusalNanosMax: Int64 = 1_000_000_000

    init(_ client: WebSocketClient) {
        self.client = client
        hub = ClientHub.of(client.loop)
        reader = WebSocketFrameReader(limit: client.options.messageBytesMax)
    }

    var isOpen: Bool { if case .open = phase { true } else { false } }

    private var isConnecting: Bool {
        switch phase {
        case .resolving, .connecting, .shaking: true
        case .open, .closing, .over: false
        }
    }

    // MARK: Towards a connection

    func start() {
        hub.add(self)
        guard !hub.isClosed else {
            client.loop.schedule(after: 0) { [self] in fail("the loop ended") }
            return
        }
        started = SystemClock.monotonicNanos()
        deadline = client.loop.schedule(after: client.options.connectNanosMax) { [weak self] in self?.timeIsUp() }
        do {
            // Told at the next turn: the outcome never comes during `connect`.
            if client.options.url.isSecure { _ = try hub.context(caFile: client.options.caFile) }
        } catch {
            let cause = "certificate authorities, \(error.place): \(error.cause)"
            client.loop.schedule(after: 0) { [weak self] in self?.fail(cause) }
            return
        }
        Resolver.resolve(client.options.url.host, on: client.loop) { [weak self] result in
            guard let self, case .resolving = phase else { return }
            switch result {
            case .success(let addresses):
                self.addresses = addresses
                phase = .connecting
                tryNext()
            case .failure(let error): fail(error.cause)
            }
        }
    }

    private func timeIsUp() {
        let words =
            switch phase {
            case .resolving: "name \(client.options.url.host) not resolved"
            case .shaking where refusedAt > 0: handshake?.ended() ?? ""
            case .shaking: "no answer to the request"
            case .connecting, .open, .closing, .over: named("no answer")
            }
        fail("no connection after \(client.options.connectNanosMax / 1_000_000) ms; \(words)")
    }

    /// Tries the next address, or tells the failure that counts.
    private func tryNext() {
        addressDeadline?.cancel()
        dropTransport()
        guard isConnecting else { return }
        guard next < addresses.count, !hub.isClosed else { return fail(failure.words) }
        phase = .connecting
        refusedStatus = handshake?.refusedStatus ?? refusedStatus
        handshake = nil
        refusedAt = 0
        next += 1
        limitAddress()
        let options = client.options
        do {
            let context = options.url.isSecure ? try hub.context(caFile: options.caFile) : nil
            let transport = ClientTransport(hub, security: context.map { ($0, options.url.host) }, owner: self)
            self.transport = transport
            guard let problem = transport.connect(addresses[next - 1], port: options.url.port) else { return }
            failed(.route, "\(addresses[next - 1]): \(problem)")
            client.loop.schedule(after: 0) { [weak self] in self?.tryNext() }
        } catch {
            fail("\(error)")
        }
    }

    /// An address that doesn't answer must not use up the time of those behind it.
    private func limitAddress() {
        let others = addresses.count - next
        guard others > 0 else { return }
        let left = client.options.connectNanosMax - (SystemClock.monotonicNanos() - started)
        let address = addresses[next - 1]
        addressDeadline = client.loop.schedule(after: max(1_000_000, left / Int64(others + 1))) { [weak self] in
            self?.failed(.route, "\(address): no answer")
            self?.tryNext()
        }
    }

    private func failed(_ stage: Stage, _ words: String) {
        if stage.rawValue >= failure.stage.rawValue { failure = (stage, words) }
    }

    func transportOpened() {
        guard case .connecting = phase else { return }
        let key = WebSocketKey((random.next(), random.next()))
        let handshake = WebSocketHandshake(client.options, key: key)
        do {
            let request = try handshake.request()
            self.handshake = handshake
            phase = .shaking
            if transport?.write({ $0 += request }) == .closed { failed(.route, "the request was not taken") }
        } catch {
            fail(error.cause)
        }
    }

    private func shake(_ bytes: UnsafeRawBufferPointer) {
        switch handshake?.received(bytes) {
        case nil: return
        case .incomplete:
            if handshake?.isRefused == true, refusedAt == 0 { refusedAt = SystemClock.monotonicNanos() }
        case .refused(let words):
            failed(.handshake, words)
            tryNext()
        case .accepted(let consumed):
            opened()
            if consumed < bytes.count { read(UnsafeRawBufferPointer(rebasing: bytes[consumed...])) }
        }
    }

    private func opened() {
        deadline?.cancel()
        addressDeadline?.cancel()
        phase = .open
        lastBytes = SystemClock.monotonicNanos()
        lastPing = lastBytes
        client.subprotocol = handshake?.subprotocol
        handshake = nil
        client.handler.connected(client)
    }

    // MARK: Reading

    func transportReceived(_ bytes: UnsafeRawBufferPointer) {
        switch phase {
        case .shaking: shake(bytes)
        case .open, .closing:
            lastBytes = SystemClock.monotonicNanos()
            read(bytes)
        case .resolving, .connecting, .over: return
        }
    }

    private func read(_ bytes: UnsafeRawBufferPointer) {
        client.tally.reads += 1
        client.tally.bytes += bytes.count
        // Out of the object for the loop, as every access to what is in it would be checked for exclusiveness.
        guard var reader = reader.take() else { return }
        var rest = bytes
        while let item = reader.next(&rest) {
            switch item {
            case .text(let message):
                // After our close what still comes is thrown away.
                if case .open = phase { client.handler.text(message, on: client) }
            case .binary(let message):
                if case .open = phase { client.handler.binary(message, on: client) }
            case .ping(let payload): answer(payload)
            case .pong: client.tally.pongs += 1
            case .close(let code, let reason): peerCloses(code, String.clean(reason))
            case .failed(let fault): broken(fault)
            }
        }
        client.tally.messages += reader.takeCount()
        self.reader = consume reader
    }

    private func answer(_ payload: UnsafeRawBufferPointer) {
        client.tally.pings += 1
        guard case .open = phase, let transport else { return }
        guard transport.unsentBytes <= Self.pongBacklogMax else {
            client.tally.unansweredPings += 1
            return
        }
        _ = write(.pong, payload)
    }

    private func peerCloses(_ code: UInt16, _ reason: String) {
        switch phase {
        case .closing: ended(ours.code, ours.reason)
        case .open:
            sendClose(code, "")
            ended(code, reason)
        case .resolving, .connecting, .shaking, .over: return
        }
    }

    /// The peer broke the protocol or a limit: the stream can't be read any further.
    private func broken(_ fault: WebSocketFault) {
        switch phase {
        case .closing: ended(ours.code, ours.reason)
        case .open:
            sendClose(fault.code, fault.words)
            ended(fault.code, fault.words)
        case .resolving, .connecting, .shaking, .over: return
        }
    }

    // MARK: Writing

    /// Bytes that wait for the kernel.
    var unsentBytes: Int { transport?.unsentBytes ?? 0 }

    func write(_ opcode: WebSocketFrameWriter.Opcode, _ bytes: UnsafeRawBufferPointer) -> WriteResult {
        guard let transport else { return .closed }
        let mask = UInt32(truncatingIfNeeded: random.next())
        return transport.write { WebSocketFrameWriter.append(opcode, bytes, mask: mask, to: &$0) }
    }

    private func sendClose(_ code: UInt16, _ reason: String) {
        let mask = UInt32(truncatingIfNeeded: random.next())
        _ = transport?.write { WebSocketFrameWriter.appendClose(code, reason, mask: mask, to: &$0) }
    }

    // MARK: Ends

    /// Sends a close frame at once, behind what waits, or gives the attempt up.
    func close(code: UInt16, reason: String) {
        switch phase {
        case .resolving, .connecting, .shaking:
            client.loop.schedule(after: 0) { [weak self] in self?.fail("given up") }
        case .open:
            ours = (code, reason)
            sendClose(code, reason)
            phase = .closing(since: SystemClock.monotonicNanos())
        case .closing, .over: return
        }
    }

    func transportEnded(_ cause: String?) {
        switch phase {
        case .resolving, .over: return
        case .connecting:
            failed(.route, cause.map(named) ?? named("closed by the peer"))
            tryNext()
        case .shaking:
            failed(.handshake, cause ?? handshake?.ended() ?? "")
            tryNext()
        case .open: ended(WebSocketCloseCode.lost, "connection lost: \(cause ?? "ended without a close frame")")
        case .closing: ended(ours.code, ours.reason)
        }
    }

    /// With the address, but for what is about the peer's certificate: that is the same on all.
    private func named(_ cause: String) -> String {
        cause.hasPrefix("certificate") || next == 0 ? cause : "\(addresses[next - 1]): \(cause)"
    }

    func sweep(now: Int64) {
        switch phase {
        case .open: sweepOpen(now)
        case .closing(let since):
            guard now > since + client.options.closeNanosMax else { return }
            dropTransport()
            ended(ours.code, ours.reason)
        case .shaking:
            guard refusedAt > 0, now > refusedAt + Self.refusalNanosMax else { return }
            failed(.handshake, handshake?.ended() ?? "")
            tryNext()
        case .resolving, .connecting, .over: return
        }
    }

    private func sweepOpen(_ now: Int64) {
        let options = client.options
        if now > lastBytes + options.pingEveryNanos + options.silenceNanosMax {
            dropTransport()
            return ended(WebSocketCloseCode.lost, "no frame for \((now - lastBytes) / 1_000_000) ms")
        }
        // A peer that doesn't read gets no ping; its silence ends it all the same.
        guard now > lastPing + options.pingEveryNanos, unsentBytes == 0 else { return }
        lastPing = now
        _ = write(.ping, UnsafeRawBufferPointer(start: nil, count: 0))
    }

    /// The loop stops: nothing is waited for any more.
    func loopEnds() {
        switch phase {
        case .resolving, .connecting, .shaking: fail("the loop ended")
        case .open:
            sendClose(1001, "")
            ended(WebSocketCloseCode.lost, "the loop ended")
        case .closing: ended(ours.code, ours.reason)
        case .over: return
        }
    }

    /// Tells that there is no connection, once.
    private func fail(_ words: String) {
        guard isConnecting else { return }
        client.refusedStatus = handshake?.refusedStatus ?? refusedStatus
        over()
        dropTransport()
        client.ended(self)
        client.handler.failed(client, words)
    }

    /// Tells that the connection is over, once; what was said last still goes out.
    private func ended(_ code: UInt16, _ reason: String) {
        switch phase {
        case .open, .closing: break
        case .resolving, .connecting, .shaking, .over: return
        }
        over()
        transport?.linger(until: SystemClock.monotonicNanos() + client.options.closeNanosMax)
        transport = nil
        client.ended(self)
        client.handler.closed(client, code: code, reason: reason)
    }

    private func over() {
        phase = .over
        deadline?.cancel()
        addressDeadline?.cancel()
        hub.remove(self)
    }

    private func dropTransport() {
        transport?.cut()
        transport = nil
    }
}
