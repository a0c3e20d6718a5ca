internal import CLibWebSockets
internal import Glibc

/// Turns a host name into numeric addresses without blocking the loop: on libuv's own worker threads.
enum Resolver {
    /// Calls `done` on the loop thread with at least one address, IPv4 and IPv6 in the system's order; later, never now.
    static func resolve(
        _ host: String,
        on loop: EventLoop,
        _ done: @escaping (Result<[String], NetworkError>) -> Void
    ) {
        loop.preconditionCurrent()
        let lookup = Lookup(host: host, done: done)
        let request = UnsafeMutablePointer<uv_getaddrinfo_t>.allocate(capacity: 1)
        request.initialize(to: uv_getaddrinfo_t())
        request.pointee.data = Unmanaged.passRetained(lookup).toOpaque()
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        let uv = loop.uvLoop.assumingMemoryBound(to: uv_loop_t.self)
        let status = uv_getaddrinfo(uv, request, striketapeResolved, host, nil, &hints)
        guard status < 0 else { return }
        Unmanaged.passUnretained(lookup).release()
        request.deallocate()
        loop.schedule(after: 0) { lookup.finish(status, nil) }
    }

    /// One question under way.
    fileprivate final class Lookup {
        private let host: String
        private let done: (Result<[String], NetworkError>) -> Void

        init(host: String, done: @escaping (Result<[String], NetworkError>) -> Void) {
            self.host = host
            self.done = done
        }

        func finish(_ status: Int32, _ found: UnsafeMutablePointer<addrinfo>?) {
            let addresses = Self.addresses(found)
            guard status == 0, !addresses.isEmpty else {
                let cause = "name \(host) not resolved: \(String(cString: uv_strerror(status)))"
                return done(.failure(NetworkError(.badAddress, place: host, cause: cause)))
            }
            done(.success(addresses))
        }

        private static func addresses(_ found: UnsafeMutablePointer<addrinfo>?) -> [String] {
            var result: [String] = []
            var next = found
            while let entry = next {
                next = entry.pointee.ai_next
                let text = withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(NI_MAXHOST)) { buffer in
                    let status = getnameinfo(
                        entry.pointee.ai_addr,
                        entry.pointee.ai_addrlen,
                        buffer.baseAddress,
                        socklen_t(buffer.count),
                        nil,
                        0,
                        NI_NUMERICHOST
                    )
                    return status == 0 ? buffer.baseAddress.map { String(cString: $0) } : nil
                }
                if let text, !result.contains(text) { result.append(text) }
            }
            return result
        }
    }
}

/// A name was resolved, or not.
@c(striketape_resolved)
private func striketapeResolved(
    _ request: UnsafeMutablePointer<uv_getaddrinfo_t>?,
    _ status: Int32,
    _ found: UnsafeMutablePointer<addrinfo>?
) {
    guard let request, let data = request.pointee.data else { preconditionFailure("lookup without its request") }
    let lookup = Unmanaged<Resolver.Lookup>.fromOpaque(data).takeRetainedValue()
    request.deallocate()
    lookup.finish(status, found)
    uv_freeaddrinfo(found)
}
