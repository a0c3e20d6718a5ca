internal import Dispatch
internal import Glibc

/// What a Redis server says of itself to whoever asks before a run: version, limits, user and whether it may publish.
///
/// One connection, one question after another, each with the same deadline; changes nothing. Blocks its thread.
package struct RedisProbe: Sendable {
    /// What was found, in order: a thing's name, what is to be said of it, and whether that is as it should be.
    package struct Finding: Sendable, Equatable {
        package var isFine: Bool
        package var words: String
    }

    /// A channel that the engine's user may publish to and nobody listens to.
    private static let channel = RedisKey.live("doctor")

    /// Asks everything.
    ///
    /// - Throws: `BusError` where the server can't be reached, or refuses the user; without any secret.
    package static func ask(_ url: RedisURL) throws(BusError) -> [Finding] {
        let link = try Link(url)
        defer { link.close() }
        if !url.password.isEmpty {
            let words = url.user.isEmpty ? ["AUTH", url.password] : ["AUTH", url.user, url.password]
            if let error = try link.ask(words).errorText {
                throw BusError(.refused, "\(url): user or password refused (\(RedisReply.code(of: error)))")
            }
        }
        let pong = try link.ask(["PING"])
        guard pong.string == "PONG" else {
            throw BusError(.refused, "\(url): PING: \(pong.errorText.map(RedisReply.code) ?? "no PONG")")
        }
        return [
            version(try link.ask(["INFO", "server"]), url), outputLimit(try link.ask(["CONFIG", "GET", limitKey])),
            user(try link.ask(["ACL", "WHOAMI"]), url), publishing(try link.ask(["PUBLISH", channel, ""])),
        ]
    }

    private static let limitKey = "client-output-buffer-limit"

    private static func version(_ reply: RedisReply, _ url: RedisURL) -> Finding {
        let version = reply.string.flatMap { field("redis_version", of: $0) }
        guard let version else {
            // A user with the least rights may not ask; the answer to PING stands.
            return Finding(isFine: true, words: "\(url) answers; its version isn't told to this user")
        }
        let major = version.prefix { $0 != "." }
        let isFine = Int(major).map { $0 >= 6 } ?? false
        return Finding(isFine: isFine, words: "\(url) answers, version \(version)" + (isFine ? "" : "; 6.0 or later"))
    }

    private static func field(_ name: String, of text: String) -> String? {
        text.split(whereSeparator: \.isNewline).first { $0.hasPrefix(name + ":") }.map {
            String($0.dropFirst(name.count + 1))
        }
    }

    private static func outputLimit(_ reply: RedisReply) -> Finding {
        let advice = "docs/redis.md wants \(limitKey) pubsub 64mb 16mb 10"
        guard let text = reply.elements?.last?.string else {
            return Finding(isFine: true, words: "\(limitKey) isn't told to this user; \(advice)")
        }
        let words = text.split(separator: " ").map(String.init)
        guard let place = words.firstIndex(of: "pubsub"), words.count > place + 3,
            let hard = Int64(words[place + 1]), let soft = Int64(words[place + 2])
        else { return Finding(isFine: false, words: "\(limitKey): no pubsub in \"\(text)\"; \(advice)") }
        let shown = "\(limitKey) pubsub \(words[place + 1]) \(words[place + 2]) \(words[place + 3])"
        // 0 is no limit: a gateway that can't follow would fill the server's memory.
        let isFine = hard >= 64 << 20 && soft >= 16 << 20
        return Finding(isFine: isFine, words: isFine ? shown : "\(shown); \(advice)")
    }

    private static func user(_ reply: RedisReply, _ url: RedisURL) -> Finding {
        if let name = reply.string {
            let note = name == "default" ? "; ops/redis-users.acl has users with the least rights" : ""
            return Finding(isFine: true, words: "user \(name)\(note)")
        }
        return Finding(isFine: true, words: "user \(url.user.isEmpty ? "default" : url.user), as the URL says")
    }

    private static func publishing(_ reply: RedisReply) -> Finding {
        if case .integer = reply { return Finding(isFine: true, words: "may publish to st:*") }
        let code = reply.errorText.map(RedisReply.code) ?? "no answer"
        return Finding(
            isFine: false,
            words: "may not publish to st:* (\(code)): enough for a gateway, not for an engine"
        )
    }
}

/// A blocking connection with a deadline for each step.
private final class Link {
    private let descriptor: Int32
    private let place: String
    private let parser = RedisParser()
    private static let millis: Int32 = 3_000

    init(_ url: RedisURL) throws(BusError) {
        place = "\(url)"
        let found = Resolved()
        RedisSocket.resolve(url.place) { found.set($0) }
        guard let addresses = found.wait(millis: Int(Self.millis)) else {
            throw BusError(.timedOut, "\(place): its host isn't found in time")
        }
        var cause = "no address"
        switch addresses {
        case .failure(let failure): throw BusError(.unavailable, "\(place): \(failure.text)")
        case .success(let all):
            for address in all {
                do throws(RedisSocket.Failure) {
                    let descriptor = try RedisSocket.connect(address)
                    if Self.wait(descriptor, POLLOUT) {
                        guard let failure = RedisSocket.connectFailure(descriptor) else {
                            self.descriptor = descriptor
                            return
                        }
                        cause = failure
                    } else {
                        cause = "no answer within \(Self.millis / 1_000) s"
                    }
                    RedisSocket.close(descriptor)
                } catch {
                    cause = error.text
                }
            }
        }
        throw BusError(.unavailable, "\(place): \(cause)")
    }

    func close() { RedisSocket.close(descriptor) }

    func ask(_ words: [String]) throws(BusError) -> RedisReply {
        var request: [UInt8] = []
        RedisCommand.begin(words.count, into: &request)
        for word in words { RedisCommand.add(word, into: &request) }
        try send(request)
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            switch parser.next() {
            case .reply(let reply): return reply
            case .broken(let words): throw BusError(.refused, "\(place): \(words)")
            case .incomplete: break
            }
            guard Self.wait(descriptor, POLLIN) else { throw BusError(.timedOut, "\(place): no answer to \(words[0])") }
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { throw BusError(.unavailable, "\(place): the connection ended at \(words[0])") }
            if let wrong = buffer[..<count].withUnsafeBytes({ parser.feed($0) }) {
                throw BusError(.refused, "\(place): \(wrong)")
            }
        }
    }

    private func send(_ bytes: [UInt8]) throws(BusError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard Self.wait(descriptor, POLLOUT) else { throw BusError(.timedOut, "\(place): takes nothing") }
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw BusError(.unavailable, "\(place): the connection ended") }
            rest = rest.dropFirst(count)
        }
    }

    private static func wait(_ descriptor: Int32, _ events: Int32) -> Bool {
        var polled = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        return poll(&polled, 1, millis) > 0
    }
}

/// Hands the resolver's answer from its thread to the one that waits.
private final class Resolved: @unchecked Sendable {
    // Owner of the unchecked state: the resolver's thread until it signals, then whoever waited.
    private var answer: Result<[RedisSocket.Address], RedisSocket.Failure>?
    private let came = DispatchSemaphore(value: 0)

    func set(_ answer: Result<[RedisSocket.Address], RedisSocket.Failure>) {
        self.answer = answer
        came.signal()
    }

    func wait(millis: Int) -> Result<[RedisSocket.Address], RedisSocket.Failure>? {
        came.wait(timeout: .now() + .milliseconds(millis)) == .success ? answer : nil
    }
}
