import Glibc
import Network
import Primitives

/// What one client costs when a server sends as fast as it can: `NetworkEcho burst [EVENTS] [BYTES] [EVENTS-A-FRAME]`.
///
/// A thread writes frames that were made before; the client's loop counts them. The figure is the processor time of the
/// loop's thread alone, user and system apart, beside that of a thread that only calls `read`.
enum Burst {
    static func run(_ loop: EventLoop, _ arguments: [Int]) async throws {
        let events = arguments.first ?? 3_000_000
        let bytes = arguments.count > 1 ? arguments[1] : 100
        let each = arguments.count > 2 ? arguments[2] : 16
        let frames = Frames(eventBytes: bytes, eventsInFrame: each, events: events)
        print("\(frames.total) events of \(bytes) bytes, \(each) a frame, \(frames.totalBytes) bytes on the wire")
        report("read alone", try await Self.plain(frames), frames)
        report("WebSocketClient", try await Self.client(loop, frames), frames)
    }

    private static func report(_ name: String, _ cost: Cost, _ frames: Frames) {
        let total = cost.user + cost.system
        func each(_ nanos: Int64, _ count: Int) -> Double { (Double(nanos) / Double(count) * 1_000).rounded() / 1_000 }
        print(
            "\(name): \(each(total, frames.total)) ns an event (user \(each(cost.user, frames.total)),"
                + " system \(each(cost.system, frames.total))), \(each(total, frames.totalBytes)) ns a byte,"
                + " wall \(each(cost.wall, frames.total)) ns an event"
        )
    }

    /// The client over a loop; its messages are counted and looked at no further.
    private static func client(_ loop: EventLoop, _ frames: Frames) async throws -> Cost {
        let port = try Blaster.start(frames)
        return await withCheckedContinuation { continuation in
            loop.execute {
                let url = WebSocketURL(isSecure: false, host: "127.0.0.1", port: port)
                let handler = Counting(frames) { continuation.resume(returning: $0) }
                WebSocketClient(loop: loop, options: WebSocketClientOptions(url: url), handler: handler).connect()
            }
        }
    }

    /// Only `read`, with a buffer of 256 KiB: what no client can do without.
    private static func plain(_ frames: Frames) async throws -> Cost {
        let port = try Blaster.start(frames)
        let loop = EventLoop(name: "read")
        loop.start()
        defer {
            loop.stop()
            loop.join()
        }
        return try await loop.run {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(descriptor) }
            guard Blaster.with(port: port, { connect(descriptor, $0, $1) }) == 0 else { throw Failed(code: errno) }
            let request = "GET / HTTP/1.1\r\nSec-WebSocket-Key: x\r\n\r\n"
            _ = request.withCString { send(descriptor, $0, strlen($0), 0) }
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 262_144, alignment: 64)
            defer { buffer.deallocate() }
            let start = Cost.now()
            while read(descriptor, buffer.baseAddress, buffer.count) > 0 {}
            return Cost.now() - start
        }
    }

    struct Failed: Error { let code: Int32 }
}

/// Processor time of the calling thread, and the wall's, in nanoseconds.
private struct Cost: Sendable {
    var user: Int64
    var system: Int64
    var wall: Int64

    static func now() -> Cost {
        var usage = rusage()
        // RUSAGE_THREAD, which is hidden behind a feature macro.
        getrusage(1, &usage)
        func nanos(_ time: timeval) -> Int64 { Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_usec) * 1_000 }
        return Cost(user: nanos(usage.ru_utime), system: nanos(usage.ru_stime), wall: SystemClock.monotonicNanos())
    }

    static func - (a: Cost, b: Cost) -> Cost {
        Cost(user: a.user - b.user, system: a.system - b.system, wall: a.wall - b.wall)
    }
}

/// Frames as they go over the wire, one block of them again and again.
private struct Frames: Sendable {
    let block: [UInt8]
    let blocks: Int
    let framesInBlock: Int
    let eventsInFrame: Int

    init(eventBytes: Int, eventsInFrame: Int, events: Int) {
        self.eventsInFrame = eventsInFrame
        let start = "{\"ev\":\"Q\",\"sym\":\"SPY\",\"bp\":672.42,\"ap\":672.43,\"t\":1764086400351000,\"x\":\""
        let fill = max(0, eventBytes - start.utf8.count - 3)
        let event = start + String(repeating: "x", count: fill) + "\"}"
        let payload = Array("[\([String](repeating: event, count: eventsInFrame).joined(separator: ","))]".utf8)
        var frame: [UInt8] = [0x81]
        switch payload.count {
        case ..<126: frame.append(UInt8(payload.count))
        case ..<65_536: frame += [126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
        default: frame += [127] + (0..<8).reversed().map { UInt8(payload.count >> ($0 * 8) & 0xFF) }
        }
        frame += payload
        framesInBlock = max(1, (1 << 20) / frame.count)
        block = Array([[UInt8]](repeating: frame, count: framesInBlock).joined())
        blocks = max(1, events / (framesInBlock * eventsInFrame))
    }

    var total: Int { blocks * framesInBlock * eventsInFrame }
    var totalFrames: Int { blocks * framesInBlock }
    var totalBytes: Int { blocks * block.count }
}

/// A server of one connection on a thread: upgrades, sends all blocks and a close frame, and ends.
private final class Blaster: Sendable {
    private let descriptor: Int32
    private let frames: Frames

    private init(_ descriptor: Int32, _ frames: Frames) {
        self.descriptor = descriptor
        self.frames = frames
    }

    /// - Returns: the port.
    static func start(_ frames: Frames) throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        guard with(port: 0, { bind(descriptor, $0, $1) }) == 0, listen(descriptor, 1) == 0 else {
            throw Burst.Failed(code: errno)
        }
        withUnsafeMutablePointer(to: &address) { address in
            _ = address.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        var thread = pthread_t()
        let status = pthread_create(
            &thread,
            nil,
            { argument in
                if let argument { Unmanaged<Blaster>.fromOpaque(argument).takeRetainedValue().serve() }
                return nil
            },
            Unmanaged.passRetained(Blaster(descriptor, frames)).toOpaque()
        )
        guard status == 0 else { throw Burst.Failed(code: status) }
        pthread_detach(thread)
        return Int(UInt16(bigEndian: address.sin_port))
    }

    static func with(port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }

    private func serve() {
        let peer = accept(descriptor, nil, nil)
        close(descriptor)
        defer { close(peer) }
        var buffer = [UInt8](repeating: 0, count: 4_096)
        var text = ""
        while !text.contains("\r\n\r\n") {
            let count = recv(peer, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            text += String(decoding: buffer[..<count], as: UTF8.self)
        }
        let line = text.split(separator: "\r\n").first { $0.lowercased().hasPrefix("sec-websocket-key: ") }
        let key = WebSocketKey(text: String(line?.dropFirst(19) ?? ""))
        let head =
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Accept: \(key.accept)\r\n\r\n"
        guard write(peer, Array(head.utf8)) else { return }
        for _ in 0..<frames.blocks { guard write(peer, frames.block) else { return } }
        guard write(peer, [0x88, 2, 0x03, 0xE8]) else { return }
        shutdown(peer, Int32(SHUT_WR))
        while recv(peer, &buffer, buffer.count, 0) > 0 {}
    }

    private func write(_ peer: Int32, _ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { bytes in
            var sent = 0
            while sent < bytes.count {
                let rest = bytes[sent...]
                let count = send(peer, bytes.baseAddress.map { $0 + sent }, rest.count, Int32(MSG_NOSIGNAL))
                guard count > 0 else { return false }
                sent += count
            }
            return true
        }
    }
}

/// Counts messages; the loop's thread.
private final class Counting: WebSocketClientHandler {
    private let frames: Frames
    private let ended: (Cost) -> Void
    private var start = Cost.now()
    private var messages = 0

    init(_ frames: Frames, ended: @escaping (Cost) -> Void) {
        self.frames = frames
        self.ended = ended
    }

    func connected(_ client: WebSocketClient) { start = Cost.now() }
    func text(_ message: UnsafeRawBufferPointer, on client: WebSocketClient) { messages += 1 }
    func binary(_ message: UnsafeRawBufferPointer, on client: WebSocketClient) {}

    func closed(_ client: WebSocketClient, code: UInt16, reason: String) {
        let cost = Cost.now() - start
        if messages != frames.totalFrames { print("\(messages) of \(frames.totalFrames) frames; \(code) \(reason)") }
        ended(cost)
    }

    func failed(_ client: WebSocketClient, _ description: String) {
        print("failed: \(description)")
        ended(Cost(user: 0, system: 0, wall: 0))
    }
}
