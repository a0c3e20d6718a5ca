import Foundation
import Glibc
import Primitives
import Testing

/// A Redis of one test: own port, own folder, nothing kept; ended by `stop`.
final class RedisServer: Sendable {
    /// Whether Redis is installed; says so where it isn't.
    static let isInstalled: Bool = {
        let isThere = program("redis-server") != nil && program("redis-cli") != nil
        if !isThere { print("Redis tests skipped: redis-server or redis-cli is not in PATH") }
        return isThere
    }()

    /// Where a program is.
    private static func program(_ name: String) -> URL? {
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
            .map { URL(fileURLWithPath: String($0)).appendingPathComponent(name) }
            .first { FileManager.default.isExecutableFile(atPath: $0.path) }
    }

    let port: UInt16
    private let folder: URL
    private let arguments: [String]
    private let process = Lock<Process?>(nil)

    /// Starts a server.
    ///
    /// - Parameter arguments: further settings.
    /// - Throws: where it can't be started.
    init(_ arguments: [String] = []) async throws {
        port = try Self.freePort()
        self.arguments = arguments
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("striketape-redis-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try start()
        try await waitUntilItAnswers()
    }

    var url: String { "redis://127.0.0.1:\(port)" }
    var socketPath: String { folder.appendingPathComponent("s").path }

    /// Starts the process (again).
    func start() throws {
        let process = Process()
        process.executableURL = Self.program("redis-server")
        process.arguments =
            [
                "--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder.path,
                "--unixsocket", socketPath, "--enable-debug-command", "local",
            ] + arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        self.process.withLock { $0 = process }
    }

    /// Waits until the server takes connections; each attempt is a connection, so this waits for a condition.
    func waitUntilItAnswers() async throws {
        for _ in 0..<500 {
            let answer = (try? command(["PING"])) ?? ""
            if answer == "PONG" || answer.hasPrefix("NOAUTH") { return }
            try await Task.sleep(nanoseconds: 10_000_000)
        }
        Issue.record("redis-server on port \(port) doesn't answer")
    }

    func signal(_ signal: Int32) {
        process.withLock { process in
            if let process, process.isRunning { kill(process.processIdentifier, signal) }
        }
    }

    /// Ends it without a word, as a crash does.
    func crash() {
        signal(SIGKILL)
        process.withLock { $0?.waitUntilExit() }
    }

    func stop() {
        signal(SIGCONT)
        crash()
        try? FileManager.default.removeItem(at: folder)
    }

    /// Runs one command and returns the answer's text, lines joined by LF.
    @discardableResult
    func command(_ arguments: [String], user: String? = nil, password: String? = nil) throws -> String {
        let process = Process()
        process.executableURL = Self.program("redis-cli")
        var login: [String] = []
        if let user { login += ["--user", user] }
        if let password { login += ["--pass", password, "--no-auth-warning"] }
        process.arguments = ["-p", String(port)] + login + arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: output, as: UTF8.self).trimmingCharacters(in: .newlines)
    }

    /// Repeats a command until its answer is as wanted; each time asks the server, which is the condition.
    func wait(for arguments: [String], until isWanted: (String) -> Bool) async throws {
        var answer = ""
        for _ in 0..<1_000 {
            answer = try command(arguments)
            if isWanted(answer) { return }
            try await Task.sleep(nanoseconds: 5_000_000)
        }
        Issue.record("\(arguments) still answers \(answer)")
    }

    /// Waits until the logs of all partitions together have so many entries.
    func waitForLogs(of count: Int) async throws {
        let sum =
            "local n = 0 for i = 0, 15 do n = n + redis.call('XLEN', 'st:{p' .. i .. '}:log') end return n"
        try await wait(for: ["EVAL", sum, "0"]) { $0 == String(count) }
    }

    /// A port below the ephemeral range that nobody listens on.
    private static func freePort() throws -> UInt16 {
        for _ in 0..<200 {
            let port = UInt16.random(in: 20_000..<32_000)
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(descriptor) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            let status = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            if status == 0 { return port }
        }
        throw CocoaError(.featureUnsupported)
    }
}
