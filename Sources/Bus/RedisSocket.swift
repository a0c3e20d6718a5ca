internal import Dispatch
internal import Glibc

/// The system calls of a connection; each returns what failed in words.
enum RedisSocket {
    /// An address to connect to.
    struct Address: Sendable {
        var storage: sockaddr_storage
        var length: socklen_t
        var family: Int32
    }

    struct Failure: Error {
        let text: String
    }

    /// Finds the addresses of a place and calls `done` with them on another thread: the resolver may block for seconds.
    static func resolve(_ place: RedisURL.Place, _ done: @escaping @Sendable (Result<[Address], Failure>) -> Void) {
        switch place {
        case .unix(let path): done(.success([unix(path)]))
        case .tcp(let host, let port):
            DispatchQueue.global().async { done(addresses(host, port)) }
        }
    }

    private static func addresses(_ host: String, _ port: UInt16) -> Result<[Address], Failure> {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        var first: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, String(port), &hints, &first)
        guard status == 0 else {
            return .failure(Failure(text: "host \(host) not found: \(String(cString: gai_strerror(status)))"))
        }
        defer { freeaddrinfo(first) }
        var found: [Address] = []
        var next = first
        while let info = next?.pointee {
            var storage = sockaddr_storage()
            if let address = info.ai_addr {
                withUnsafeMutableBytes(of: &storage) { target in
                    target.copyMemory(
                        from: UnsafeRawBufferPointer(start: address, count: min(Int(info.ai_addrlen), target.count))
                    )
                }
                found.append(Address(storage: storage, length: info.ai_addrlen, family: info.ai_family))
            }
            next = info.ai_next
        }
        return .success(found)
    }

    private static func unix(_ path: String) -> Address {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        var storage = sockaddr_storage()
        withUnsafeMutableBytes(of: &storage) { target in
            withUnsafeBytes(of: address) { target.copyMemory(from: $0) }
        }
        return Address(storage: storage, length: socklen_t(MemoryLayout<sockaddr_un>.size), family: AF_UNIX)
    }

    /// Begins a connection that doesn't block.
    static func connect(_ address: Address) throws(Failure) -> Int32 {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(address.family, kind, 0)
        guard descriptor >= 0 else { throw Failure(text: "socket: \(reason(errno))") }
        if address.family != AF_UNIX {
            var on: Int32 = 1
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        }
        var storage = address.storage
        let status = withUnsafePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, address.length)
            }
        }
        guard status == 0 || errno == EINPROGRESS else {
            let text = "connect: \(reason(errno))"
            close(descriptor)
            throw Failure(text: text)
        }
        return descriptor
    }

    /// How a connection that was begun has ended; nil where it is up.
    static func connectFailure(_ descriptor: Int32) -> String? {
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
        return code == 0 ? nil : "connect: \(reason(code))"
    }

    static func close(_ descriptor: Int32) { _ = Glibc.close(descriptor) }

    /// What a read or write brought.
    enum Transfer {
        case bytes(Int)
        /// Not now.
        case wait
        case failed(String)
    }

    static func read(_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Transfer {
        let count = Glibc.recv(descriptor, buffer.baseAddress, buffer.count, 0)
        if count > 0 { return .bytes(count) }
        if count == 0 { return .failed("closed by the server") }
        return errno == EAGAIN || errno == EINTR ? .wait : .failed("read: \(reason(errno))")
    }

    static func write(_ descriptor: Int32, _ buffer: UnsafeRawBufferPointer) -> Transfer {
        let count = Glibc.send(descriptor, buffer.baseAddress, buffer.count, Int32(MSG_NOSIGNAL))
        if count >= 0 { return .bytes(count) }
        return errno == EAGAIN || errno == EINTR ? .wait : .failed("write: \(reason(errno))")
    }

    private static func reason(_ code: Int32) -> String { String(cString: strerror(code)) }
}
