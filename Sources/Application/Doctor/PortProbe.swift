internal import Foundation

/// Whether an address can be listened on now.
enum PortProbe {
    /// nil where it can, else the system's error number.
    static func probe(_ address: ListenAddress) -> Int32? {
        guard address.port != 0 else { return nil }
        let host = address.host == "localhost" ? "127.0.0.1" : address.host
        return host.contains(":") ? probeIPv6(host, address.port) : probeIPv4(host, address.port)
    }

    private static func probeIPv4(_ host: String, _ port: Int) -> Int32? {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(truncatingIfNeeded: port).bigEndian
        guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else { return EADDRNOTAVAIL }
        return bindOnce(AF_INET, &address)
    }

    private static func probeIPv6(_ host: String, _ port: Int) -> Int32? {
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = in_port_t(truncatingIfNeeded: port).bigEndian
        guard inet_pton(AF_INET6, host, &address.sin6_addr) == 1 else { return EADDRNOTAVAIL }
        return bindOnce(AF_INET6, &address)
    }

    private static func bindOnce<Address>(_ family: Int32, _ address: inout Address) -> Int32? {
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        // As a server does: an address in TIME_WAIT counts as free.
        var reuse: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<Address>.size))
            }
        }
        guard status == 0, listen(descriptor, 1) == 0 else { return errno }
        return nil
    }
}
