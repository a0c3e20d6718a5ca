internal import CLibWebSockets
internal import Glibc
internal import Primitives

/// What a transport tells; nothing comes during a call of its own methods.
protocol ClientTransportOwner: AnyObject {
    /// The route is there, with TLS where asked for.
    func transportOpened()
    /// Bytes came; they are only valid during the call.
    func transportReceived(_ bytes: UnsafeRawBufferPointer)
    /// It is over: the peer ended it (`cause` nil) or it broke. Once, and not after `cut` or `linger`.
    func transportEnded(_ cause: String?)
}

/// Bytes to and from one address, over TLS or not; loop thread only.
///
/// Reads go into the buffer that the clients of a loop share, as much at a time as it holds, and a few times a turn before
/// the others get theirs. Writes go out at once; what the kernel doesn't take waits in `output`, whose limit is the owner's
/// to keep.
final class ClientTransport {
    private enum Phase {
        case connecting
        /// The TLS handshake.
        case securing
        case open
        /// Everything is said; waits for the peer to end it, until the deadline.
        case lingering(until: Int64)
        case over
    }

    private enum Reading {
        /// The buffer is full: there may be more.
        case full
        /// There is no more now.
        case drained
        case ended
        case failed(String)
    }

    private unowned let hub: ClientHub
    private weak var owner: (any ClientTransportOwner)?
    private let security: (context: TLSContext, host: String)?
    private var descriptor: Int32 = -1
    private var watch: DescriptorWatch?
    private var tls: TLSClient?
    private var phase = Phase.connecting
    /// What waits for the kernel; the first `sent` bytes have gone.
    private var output: [UInt8] = []
    private var sent = 0
    /// What TLS waits for, beyond the usual.
    private var tlsWantsWriting = false
    /// Why writing ended; reading goes on, as the peer may have said why.
    private var writeFailure: String?
    private var resumption: TimerHandle?

    /// Reads a turn, so that a burst doesn't starve the others on the loop.
    private static let readsMax = 4
    /// Reads of 16 KiB before a socket is closed.
    private static let lastReadsMax = 64
    /// Memory that `output` keeps when all has gone.
    private static let keptOutputMax = 65_536
    /// Bytes thrown away after everything is said; a peer that sends more is cut.
    private static let lingerBytesMax = 64 << 20
    private var lingerBytes = 0
    private var hasEndedWriting = false

    /// - Parameters:
    ///   - hub: what it shares with the other clients of the loop.
    ///   - security: rules and the name that the certificate must carry; nil without TLS.
    ///   - owner: is told; not kept alive.
    init(_ hub: ClientHub, security: (context: TLSContext, host: String)?, owner: any ClientTransportOwner) {
        self.hub = hub
        self.security = security
        self.owner = owner
    }

    var isOver: Bool { if case .over = phase { true } else { false } }

    private var isOpen: Bool { if case .open = phase { true } else { false } }

    // MARK: Route

    /// Begins to connect; what comes of it is told later.
    ///
    /// - Returns: why it can't, nil when it began.
    func connect(_ address: String, port: Int) -> String? {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(address, String(port), &hints, &found) == 0, let target = found?.pointee else {
            return "not a numeric address"
        }
        defer { freeaddrinfo(found) }
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        descriptor = socket(target.ai_family, type, 0)
        guard descriptor >= 0 else {
            phase = .over
            return Self.words(errno)
        }
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        guard Glibc.connect(descriptor, target.ai_addr, target.ai_addrlen) == 0 || errno == EINPROGRESS else {
            let words = Self.words(errno)
            Glibc.close(descriptor)
            phase = .over
            return words
        }
        watch = DescriptorWatch(descriptor, on: hub.loop) { [self] isReadable, isWritable in
            ready(isReadable, isWritable)
        }
        hub.add(self)
        updateWatch()
        return nil
    }

    private func ready(_ isReadable: Bool, _ isWritable: Bool) {
        switch phase {
        case .connecting: routeReady()
        case .securing: secure()
        case .open, .lingering:
            if isWritable || tlsWantsWriting {
                flush()
                endWriting()
            }
            // TLS may have to read for a write, and the other way round.
            if isReadable || tls != nil { readSome() }
        case .over: return
        }
        updateWatch()
    }

    private func updateWatch() {
        let isWriting =
            switch phase {
            case .connecting: true
            case .securing: tlsWantsWriting
            case .open, .lingering: tlsWantsWriting || unsentBytes > 0 && writeFailure == nil
            case .over: false
            }
        watch?.wait(reading: true, writing: isWriting)
    }

    private func routeReady() {
        var status: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &status, &length)
        guard status == 0 else { return finish(Self.words(status)) }
        guard let security else { return opened() }
        do {
            tls = try TLSClient(security.context, descriptor: descriptor, host: security.host)
        } catch {
            return finish(error.cause)
        }
        phase = .securing
        secure()
    }

    private func secure() {
        guard let tls else { return }
        tlsWantsWriting = false
        switch tls.handshake() {
        case .done: opened()
        case .wantsReading: return
        case .wantsWriting: tlsWantsWriting = true
        case .ended: finish("TLS: ended in the middle of the handshake")
        case .failed(let words): finish(words)
        }
    }

    private func opened() {
        phase = .open
        owner?.transportOpened()
        // The last message of the TLS handshake may have brought data.
        if tls != nil, !isOver { readSome() }
    }

    // MARK: Writing

    /// Bytes that the kernel hasn't taken.
    var unsentBytes: Int { output.count - sent }

    /// Adds bytes behind what waits, and writes what can be written.
    ///
    /// - Returns: what became of them: `sent`, `buffered`, or `closed` when nothing can be written any more.
    func write(_ append: (inout [UInt8]) -> Void) -> WriteResult {
        guard isOpen, writeFailure == nil else { return .closed }
        let wasEmpty = unsentBytes == 0
        if sent > Self.keptOutputMax, sent > output.count / 2 {
            output.removeFirst(sent)
            sent = 0
        }
        append(&output)
        if wasEmpty {
            flush()
            updateWatch()
        }
        guard writeFailure == nil else { return .closed }
        return unsentBytes == 0 ? .sent : .buffered
    }

    private func flush() {
        tlsWantsWriting = false
        while unsentBytes > 0, writeFailure == nil {
            let outcome = output.withUnsafeBytes { writeOnce(UnsafeRawBufferPointer(rebasing: $0[sent...])) }
            switch outcome {
            case .done(let count): sent += count
            case .wantsWriting:
                tlsWantsWriting = tls != nil
                return
            case .wantsReading: return
            case .ended: writeFailure = "ended by the peer"
            case .failed(let words): writeFailure = words
            }
        }
        if output.capacity > Self.keptOutputMax { output = [] } else { output.removeAll(keepingCapacity: true) }
        sent = 0
    }

    private func writeOnce(_ bytes: UnsafeRawBufferPointer) -> TLSClient.Outcome {
        if let tls { return tls.write(bytes) }
        while true {
            let count = Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
            if count >= 0 { return .done(count) }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wantsWriting
            default: return .failed(Self.words(errno))
            }
        }
    }

    // MARK: Reading

    private func readSome() {
        for _ in 0..<Self.readsMax {
            let (count, reading) = fill(hub.readBuffer)
            if count > 0 { deliver(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(hub.readBuffer)[..<count])) }
            if isOver { return }
            switch reading {
            case .full: continue
            case .drained: return
            case .ended: return finish(writeFailure)
            case .failed(let words): return finish(words)
            }
        }
        // What TLS has read ahead the system doesn't tell of again.
        guard tls != nil, resumption == nil else { return }
        resumption = hub.loop.schedule(after: 0) { [weak self] in
            guard let self else { return }
            resumption = nil
            ready(true, false)
        }
    }

    private func deliver(_ bytes: UnsafeRawBufferPointer) {
        guard case .lingering = phase else {
            owner?.transportReceived(bytes)
            return
        }
        lingerBytes += bytes.count
        if lingerBytes > Self.lingerBytesMax { cut() }
    }

    /// Reads until the buffer is full or there is no more; what was read comes before what ended it.
    private func fill(_ buffer: UnsafeMutableRawBufferPointer) -> (count: Int, Reading) {
        guard let tls else { return readOnce(buffer) }
        var count = 0
        while count < buffer.count {
            switch tls.read(UnsafeMutableRawBufferPointer(rebasing: buffer[count...])) {
            case .done(let more): count += more
            case .wantsReading: return (count, .drained)
            case .wantsWriting:
                tlsWantsWriting = true
                return (count, .drained)
            case .ended: return (count, .ended)
            case .failed(let words): return (count, .failed(words))
            }
        }
        return (count, .full)
    }

    private func readOnce(_ buffer: UnsafeMutableRawBufferPointer) -> (count: Int, Reading) {
        while true {
            let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            // Less than asked for means that there is no more: the call that would say so is spared.
            if count > 0 { return (count, count == buffer.count ? .full : .drained) }
            if count == 0 { return (0, .ended) }
            switch errno {
            case EINTR: continue
            case EAGAIN: return (0, .drained)
            default: return (0, .failed(Self.words(errno)))
            }
        }
    }

    // MARK: End

    /// Everything is said: what waits still goes out, then the peer has until `deadline` to end it; nothing is told.
    func linger(until deadline: Int64) {
        guard isOpen else { return cut() }
        phase = .lingering(until: deadline)
        endWriting()
        updateWatch()
    }

    /// Tells the peer, once all is out, that nothing more comes: a server that waits for us needn't wait long.
    private func endWriting() {
        guard case .lingering = phase, unsentBytes == 0, !hasEndedWriting else { return }
        hasEndedWriting = true
        tls?.end()
        shutdown(descriptor, Int32(SHUT_WR))
    }

    func sweep(now: Int64) {
        if case .lingering(let deadline) = phase, now > deadline { cut() }
    }

    /// Ends it at once; nothing is told; idempotent.
    func cut() {
        let wasOpen: Bool
        switch phase {
        case .open, .lingering: wasOpen = true
        case .connecting, .securing: wasOpen = false
        case .over: return
        }
        phase = .over
        resumption?.cancel()
        watch?.close()
        watch = nil
        if wasOpen, writeFailure == nil, unsentBytes == 0 { readTheRest() }
        tls = nil
        if descriptor >= 0 { Glibc.close(descriptor) }
        hub.remove(self)
    }

    /// Closing a socket with unread bytes makes the kernel reset it, which may overtake the close frame: so reads first.
    private func readTheRest() {
        if !hasEndedWriting {
            tls?.end()
            shutdown(descriptor, Int32(SHUT_WR))
        }
        // Not into the shared buffer, from which a message may just be lent.
        withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 16) { buffer in
            for _ in 0..<Self.lastReadsMax {
                guard Glibc.read(descriptor, buffer.baseAddress, buffer.count) > 0 else { return }
            }
        }
    }

    private func finish(_ cause: String?) {
        let isTold = if case .lingering = phase { true } else { false }
        cut()
        if !isTold { owner?.transportEnded(cause) }
    }

    private static func words(_ code: Int32) -> String { String(cString: strerror(code)) }
}
