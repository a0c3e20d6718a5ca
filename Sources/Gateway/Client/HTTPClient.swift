internal import Glibc

/// One request and its answer over plain HTTP/1.1, for the command line: blocking, one connection a request.
///
/// For a gateway on this machine or behind an own tunnel; no TLS, no redirects, no keep-alive.
package struct HTTPClient: Sendable {
    package struct Answer: Sendable {
        package var status: Int
        /// Names in lower case.
        package var headers: [String: String]
        package var body: [UInt8]
    }

    /// The gateway can't be reached, or didn't speak HTTP.
    package struct Failure: Error, CustomStringConvertible {
        package let place: String
        package let cause: String

        package var description: String { "\(place): \(cause)" }
    }

    package let host: String
    package let port: Int
    package var secondsMax = 15
    package var headers: [(name: String, value: String)] = []
    private static let bytesMax = 64 << 20

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Reads `http://host:port`.
    package init(url: String) throws(Failure) {
        guard url.hasPrefix("http://") else { throw Failure(place: url, cause: "must begin with http://") }
        let authority = url.dropFirst(7).prefix { $0 != "/" }
        let colon = authority.lastIndex(of: ":")
        let hasPort = colon.map { !authority[$0...].contains("]") } ?? false
        let port = hasPort ? colon.flatMap { Int(authority[authority.index(after: $0)...]) } : 80
        var name = hasPort ? colon.map { authority[..<$0] } ?? authority : authority
        if name.hasPrefix("["), name.hasSuffix("]") { name = name.dropFirst().dropLast() }
        guard let port, (1...65_535).contains(port), !name.isEmpty else {
            throw Failure(place: url, cause: "expected http://host:port")
        }
        self.init(host: String(name), port: port)
    }

    /// Sends a request and waits for the whole answer.
    package func send(_ method: String, _ path: String, body: [UInt8] = []) throws(Failure) -> Answer {
        let socket = try connect()
        defer { close(socket) }
        let name = host.contains(":") ? "[\(host)]" : host
        var head = "\(method) \(path) HTTP/1.1\r\nHost: \(name):\(port)\r\nConnection: close\r\n"
        if !body.isEmpty || method != "GET" { head += "Content-Length: \(body.count)\r\n" }
        if !body.isEmpty { head += "Content-Type: application/json\r\n" }
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        try write(Array((head + "\r\n").utf8) + body, to: socket)
        return try parse(try readAll(from: socket))
    }

    private var place: String { "\(host):\(port)" }

    private func connect() throws(Failure) -> Int32 {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, String(port), &hints, &found)
        guard status == 0 else { throw Failure(place: place, cause: String(cString: gai_strerror(status))) }
        defer { freeaddrinfo(found) }
        var cause = "no address"
        var next = found
        while let address = next?.pointee {
            next = address.ai_next
            let descriptor = socket(address.ai_family, address.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
            guard descriptor >= 0 else { continue }
            var time = timeval(tv_sec: secondsMax, tv_usec: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
            setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
            if Glibc.connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 { return descriptor }
            cause = String(cString: strerror(errno))
            close(descriptor)
        }
        throw Failure(place: place, cause: cause)
    }

    private func write(_ bytes: [UInt8], to socket: Int32) throws(Failure) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            // The server may answer, and close, before it has read everything: then the answer says why.
            guard count > 0 else { return }
            sent += count
        }
    }

    private func readAll(from socket: Int32) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = chunk.withUnsafeMutableBytes { recv(socket, $0.baseAddress, $0.count, 0) }
            if count == 0 || (count < 0 && errno == ECONNRESET && !bytes.isEmpty) { return bytes }
            guard count > 0 else {
                let cause = errno == EAGAIN ? "no answer in \(secondsMax) s" : String(cString: strerror(errno))
                throw Failure(place: place, cause: cause)
            }
            bytes.append(contentsOf: chunk[..<count])
            if isWhole(bytes) { return bytes }
            guard bytes.count <= Self.bytesMax else { throw Failure(place: place, cause: "answer too big") }
        }
    }

    private func isWhole(_ bytes: [UInt8]) -> Bool {
        guard let answer = try? parse(bytes), let length = answer.headers["content-length"].flatMap({ Int($0) }) else {
            return false
        }
        return answer.body.count >= length
    }

    private func parse(_ bytes: [UInt8]) throws(Failure) -> Answer {
        let end = Array("\r\n\r\n".utf8)
        guard let stop = bytes.indices.dropLast(3).first(where: { bytes[$0..<($0 + 4)].elementsEqual(end) }) else {
            throw Failure(place: place, cause: "not an HTTP answer")
        }
        let lines = String(decoding: bytes[..<stop], as: UTF8.self).split(separator: "\r\n")
        let words = lines.first?.split(separator: " ") ?? []
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else {
            throw Failure(place: place, cause: "not an HTTP answer")
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].drop { $0 == " " })
        }
        return Answer(status: status, headers: headers, body: Array(bytes[(stop + 4)...]))
    }
}
