import Glibc
import Network
import Primitives
import Testing

/// TLS on both sides, with certificates made by `openssl` at test time.
@Suite struct TLSTests {
    private static let authority = Result { try TestAuthority() }

    @Test func aGoodCertificateIsAcceptedAndTheSocketIsSecure() async throws {
        let authority = try Self.authority.get()
        let secure = Lock<[Bool]>([])
        let behaviour = Behaviour(opened: { connection in
            let isSecure = connection.request.isSecure
            secure.withLock { $0.append(isSecure) }
        })
        try await withBench { bench in
            let server = try bench.serve(behaviour) { $0.tls = authority.good }
            let port = try bench.port(server)
            for host in ["localhost", "127.0.0.1"] {
                let (client, events) = try bench.connect("wss://\(host):\(port)/") { $0.caFile = authority.file }
                try await events.wait(for: "connected")
                let text = String(repeating: "s", count: 100_000)
                try bench.loop.sync { client.send(String(text.prefix(60_000))) }
                try await events.wait(for: "text of 60000")
            }
            #expect(secure.withLock { $0 } == [true, true])
        }
    }

    /// Far more than a record, and than what is read in a turn.
    @Test func aBurstArrivesWholeAndItsEndIsTold() async throws {
        let authority = try Self.authority.get()
        let payload = (0..<6_000_000).map { UInt8(ascii: "a") + UInt8($0 % 23) }
        let behaviour = Behaviour(opened: { connection in payload.withUnsafeBytes { _ = connection.write($0) } })
        try await withBench { bench in
            let server = try bench.serve(behaviour) { $0.tls = authority.good }
            let (_, events) = try bench.connect("wss://localhost:\(bench.port(server))/") { $0.caFile = authority.file }
            try await events.wait(for: "text of 6000000 sum \(checksum(payload))")
            try bench.serverLoop.sync { server.stop() }
            let line = try await events.wait(for: "closed")
            #expect(line.hasPrefix("closed 1006 connection lost: "))
        }
    }

    /// A port that speaks something else, and a file that holds no certificate.
    @Test func whatIsNotTLSIsNamed() async throws {
        let authority = try Self.authority.get()
        try await withBench { bench in
            let plain = try RawServer { peer in
                _ = peer.read()
                peer.send("HTTP/1.1 400 Bad Request\r\n\r\n")
            }
            let (_, events) = try bench.connect("wss://127.0.0.1:\(plain.port)/") { $0.caFile = authority.file }
            let line = try await events.wait(for: "failed")
            #expect(line == "failed 127.0.0.1: TLS: wrong version number")
            let (_, noCertificate) = try bench.connect("wss://127.0.0.1:\(plain.port)/") { $0.caFile = "/dev/null" }
            let words = try await noCertificate.wait(for: "failed")
            #expect(words.contains("certificate authorities, /dev/null"))
            withExtendedLifetime(plain) {}
        }
    }

    @Test func aWrongNameIsRefused() async throws {
        let authority = try Self.authority.get()
        try await withBench { bench in
            let server = try bench.serve { $0.tls = authority.wrongName }
            let (_, events) = try bench.connect("wss://localhost:\(bench.port(server))/") { $0.caFile = authority.file }
            let line = try await events.wait(for: "failed")
            #expect(line == "failed certificate refused: hostname mismatch")
            #expect(events.count("connected") == 0)
            #expect(bench.events.count("opened") == 0)
        }
    }

    @Test func anUnknownAuthorityIsRefused() async throws {
        let authority = try Self.authority.get()
        try await withBench { bench in
            let server = try bench.serve { $0.tls = authority.good }
            // With the system's authorities, and with another private one.
            let (_, system) = try bench.connect("wss://localhost:\(bench.port(server))/")
            let (_, other) = try bench.connect("wss://localhost:\(bench.port(server))/") {
                $0.caFile = authority.otherFile
            }
            try await system.wait(for: "failed certificate refused")
            try await other.wait(for: "failed certificate refused")
            #expect(system.count("connected") + other.count("connected") == 0)
        }
    }

    @Test func anExpiredCertificateIsRefused() async throws {
        let authority = try Self.authority.get()
        try await withBench { bench in
            let server = try bench.serve { $0.tls = authority.expired }
            let (_, events) = try bench.connect("wss://localhost:\(bench.port(server))/") { $0.caFile = authority.file }
            try await events.wait(for: "failed certificate refused: certificate has expired")
        }
    }

    /// S10, S13: nothing below TLS 1.2, and no HTTP/2 by ALPN.
    @Test func oldVersionsAndHTTP2AreRefused() async throws {
        let authority = try Self.authority.get()
        try await withBench { bench in
            let port = try bench.port(bench.serve { $0.tls = authority.good })
            let client = "openssl s_client -connect 127.0.0.1:\(port) -CAfile \(authority.file)"
            let old = try output(of: "\(client) -tls1_1 -cipher DEFAULT@SECLEVEL=0 </dev/null 2>&1")
            #expect(old.contains("alert protocol version"))
            for version in ["tls1_2", "tls1_3"] {
                let good = try output(of: "\(client) -\(version) </dev/null 2>&1")
                #expect(good.contains("Verification: OK"))
            }
            let alpn = try output(of: "\(client) -alpn h2 </dev/null 2>&1")
            #expect(!alpn.contains("ALPN protocol: h2"))
        }
    }

    @Test func plainTextOnATLSPortIsClosed() async throws {
        let authority = try Self.authority.get()
        try await withBench { bench in
            let raw = try RawSocket(port: try bench.port(bench.serve { $0.tls = authority.good }))
            raw.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(!raw.readAll().contains("200"))
            #expect(bench.events.all.isEmpty)
        }
    }

    @Test func unusableFilesAreAClearError() async throws {
        let authority = try Self.authority.get()
        try await withBench { bench in
            let pairs = [
                ServerTLS(certificateFile: "/no/such.pem", keyFile: authority.good.keyFile),
                ServerTLS(certificateFile: authority.good.certificateFile, keyFile: authority.wrongName.keyFile),
            ]
            for pair in pairs {
                let error = Result { try bench.serve { $0.tls = pair } }.failure as? NetworkError
                #expect(error?.code == .badTLSFile)
            }
        }
    }
}

/// Runs a shell command and gives what it wrote.
private func output(of command: String) throws -> String {
    guard let pipe = popen("timeout 20 \(command)", "r") else { throw TimeIsUp() }
    defer { pclose(pipe) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4_096)
    while true {
        let count = fread(&buffer, 1, buffer.count, pipe)
        guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
        bytes += buffer[..<count]
    }
}

/// A private certificate authority with a few certificates, in a temporary directory.
private struct TestAuthority: Sendable {
    let file: String
    /// Another one that signed nothing.
    let otherFile: String
    let good: ServerTLS
    let wrongName: ServerTLS
    let expired: ServerTLS

    init() throws {
        var template = Array("/tmp/striketape-tls-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw TimeIsUp() }
        let directory = String(cString: made)
        removeAtExit(directory)
        func run(_ arguments: String) throws {
            guard system("openssl \(arguments) >/dev/null 2>&1") == 0 else { throw OpenSSLFailed(arguments: arguments) }
        }
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
        for name in ["ca", "other"] {
            try run(
                "req -x509 \(key) -keyout \(directory)/\(name).key -out \(directory)/\(name).pem -days 2 -subj /CN=\(name)"
            )
        }
        func certificate(_ name: String, _ names: String, _ days: String) throws -> ServerTLS {
            let path = "\(directory)/\(name)"
            try run(
                "req -new \(key) -keyout \(path).key -out \(path).csr -subj /CN=\(name) -addext subjectAltName=\(names)"
            )
            try run(
                "x509 -req -in \(path).csr -CA \(directory)/ca.pem -CAkey \(directory)/ca.key -CAcreateserial"
                    + " -copy_extensions copy \(days) -out \(path).pem"
            )
            return ServerTLS(certificateFile: "\(path).pem", keyFile: "\(path).key")
        }
        file = "\(directory)/ca.pem"
        otherFile = "\(directory)/other.pem"
        good = try certificate("good", "DNS:localhost,IP:127.0.0.1", "-days 2")
        wrongName = try certificate("wrong", "DNS:example.com", "-days 2")
        // OpenSSL 3.0 takes days that are negative: the end is before the beginning and before now.
        expired = try certificate("expired", "DNS:localhost", "-days -1")
    }

    struct OpenSSLFailed: Error { let arguments: String }
}

/// Removes the directory of keys when the tests end.
private func removeAtExit(_ directory: String) {
    Cleanup.directories.withLock { $0.append(directory) }
    atexit { for directory in Cleanup.directories.withLock({ $0 }) { system("rm -rf \(directory)") } }
}

private enum Cleanup {
    static let directories = Lock<[String]>([])
}
