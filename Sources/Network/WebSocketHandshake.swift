/// The client's side of the opening handshake (RFC 6455, 4): request out, answer in; pure.
///
/// Only a 101 that fits the request is taken. Any other answer is told by its status and the beginning of its body; what
/// was secret in the request (query, values of headers) is blotted out there, as servers like to repeat what they refuse.
struct WebSocketHandshake {
    enum Outcome: Equatable {
        /// More is needed.
        case incomplete
        /// The WebSocket is open; the last input's bytes behind `consumed` are frames already.
        case accepted(consumed: Int)
        /// It isn't and won't be.
        case refused(String)
    }

    private enum Phase {
        case head
        /// Not a 101: told when its body is there.
        case body(status: String, head: AnswerHead)
        case over
    }

    /// Bytes of the answer's head, all interim answers together.
    static let headBytesMax = 16_384
    private static let bodyBytesMax = 1_024
    private static let headEnd = Array("\r\n\r\n".utf8)

    private let options: WebSocketClientOptions
    private let key: WebSocketKey
    private var phase = Phase.head
    private var received: [UInt8] = []
    /// Bytes of interim answers that are no longer in `received`.
    private var dropped = 0
    /// What the server chose of the subprotocols offered.
    private(set) var subprotocol: String?

    init(_ options: WebSocketClientOptions, key: WebSocketKey) {
        self.options = options
        self.key = key
    }

    /// The status of an answer that is no upgrade; nil before one came.
    private(set) var refusedStatus: Int?

    /// Whether it waits only for the words of a refusal.
    var isRefused: Bool { if case .body = phase { true } else { false } }

    // MARK: Request

    /// The request, whole.
    ///
    /// - Throws: `badAddress` where path, host or a header can't stand in a request; nothing of them is repeated.
    func request() throws(NetworkError) -> [UInt8] {
        let url = options.url
        func bad(_ cause: String) -> NetworkError { NetworkError(.badAddress, place: url.hostHeader, cause: cause) }
        guard url.path.hasPrefix("/"), url.path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw bad("the path has characters that can't be sent")
        }
        guard url.hostHeader.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw bad("the host has characters that can't be sent")
        }
        var fields = [
            ("Host", url.hostHeader), ("Upgrade", "websocket"), ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", key.text), ("Sec-WebSocket-Version", "13"),
        ]
        if let subprotocol = options.subprotocol { fields.append(("Sec-WebSocket-Protocol", subprotocol)) }
        let own = Set(fields.map { $0.0.lowercased() })
        for (name, value) in options.headers {
            guard Self.isToken(name), !own.contains(name.lowercased()) else {
                throw bad("a header's name can't be sent: \(String.clean(name.utf8))")
            }
            fields.append((name, value))
        }
        var text = "GET \(url.path) HTTP/1.1\r\n"
        for (name, value) in fields {
            guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
                throw bad("the value of \(name) has characters that can't be sent")
            }
            text += "\(name): \(value)\r\n"
        }
        return Array((text + "\r\n").utf8)
    }

    /// A name of RFC 9110, 5.6.2.
    private static func isToken(_ name: String) -> Bool {
        let marks = Array("!#$%&'*+-.^_`|~".utf8)
        return !name.isEmpty
            && name.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "a")...UInt8(ascii: "z"):
                    true
                default: marks.contains($0)
                }
            }
    }

    // MARK: Answer

    /// Takes what came; after an outcome other than `incomplete` nothing more is taken.
    mutating func received(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        switch phase {
        case .head: return headCame(bytes)
        case .body(let status, let head):
            received.append(contentsOf: bytes.prefix(Self.bodyBytesMax - received.count))
            return refuse(status, head, isAll: false)
        case .over: return .incomplete
        }
    }

    /// The connection ended, or nobody waits any longer: what is told then.
    mutating func ended() -> String {
        if case .body(let status, let head) = phase, case .refused(let words) = refuse(status, head, isAll: true) {
            return words
        }
        phase = .over
        return received.isEmpty ? "closed without an answer" : "closed in the middle of the answer"
    }

    private mutating func headCame(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        // Where this input begins; negative once it is behind an interim answer.
        var start = received.count
        received.append(contentsOf: bytes.prefix(Self.headBytesMax - dropped - start))
        var searched = max(0, start - 3)
        while true {
            guard isHTTP else {
                return give("the answer is not HTTP: \(excerpt(Array(received.prefix(Self.bodyBytesMax))))")
            }
            guard let end = Self.end(of: received, from: searched) else {
                guard dropped + received.count < Self.headBytesMax else {
                    return give("the answer's head is above \(Self.headBytesMax) bytes")
                }
                return .incomplete
            }
            guard let head = AnswerHead(received[..<end]) else { return give("the answer's head is not understood") }
            guard (100...199).contains(head.status), head.status != 101 else {
                guard head.status == 101 else {
                    return beginRefusal(head, body: Array(bytes.dropFirst(end - start).prefix(Self.bodyBytesMax)))
                }
                if let problem = problem(head) { return give(problem) }
                phase = .over
                received = []
                return .accepted(consumed: end - start)
            }
            received.removeFirst(end)
            dropped += end
            start -= end
            searched = 0
        }
    }

    /// Whether what came so far may be the beginning of an answer.
    private var isHTTP: Bool { zip(received, "HTTP/1.".utf8).allSatisfy { $0 == $1 } }

    private static func end(of bytes: [UInt8], from searched: Int) -> Int? {
        guard bytes.count >= headEnd.count, searched <= bytes.count - headEnd.count else { return nil }
        for index in searched...(bytes.count - headEnd.count) where bytes[index] == headEnd[0] {
            if bytes[index..<(index + headEnd.count)].elementsEqual(headEnd) { return index + headEnd.count }
        }
        return nil
    }

    private mutating func give(_ words: String) -> Outcome {
        phase = .over
        return .refused(words)
    }

    /// What is wrong with a 101 (RFC 6455, 4.1), nil if nothing is.
    private mutating func problem(_ head: AnswerHead) -> String? {
        guard head.value("upgrade")?.lowercased() == "websocket" else { return "the answer upgrades to something else" }
        guard head.tokens("connection").contains("upgrade") else { return "the answer's Connection is no upgrade" }
        guard head.values("sec-websocket-accept") == [key.accept] else {
            return "the answer's Sec-WebSocket-Accept doesn't fit the key"
        }
        guard head.tokens("sec-websocket-extensions").isEmpty else {
            return "the answer names an extension that wasn't offered"
        }
        let chosen = head.values("sec-websocket-protocol")
        let offered = (options.subprotocol ?? "").split(separator: ",").map { $0.trimmed }
        guard chosen.count <= 1, chosen.allSatisfy({ offered.contains($0) }) else {
            return "the answer names a subprotocol that wasn't offered"
        }
        subprotocol = chosen.first
        return nil
    }

    // MARK: Refusal

    private mutating func beginRefusal(_ head: AnswerHead, body: [UInt8]) -> Outcome {
        var status = "HTTP \(head.status)"
        let reason = excerpt(Array(head.reason.utf8))
        if !reason.isEmpty { status += " \(reason)" }
        if (300...399).contains(head.status), let location = head.value("location") {
            status += " to \(excerpt(Array(location.prefix { $0 != "?" }.utf8))), redirects are not followed"
        }
        received = body
        refusedStatus = head.status
        phase = .body(status: status, head: head)
        return refuse(status, head, isAll: false)
    }

    /// Refuses once the body is there as far as it is wanted.
    private mutating func refuse(_ status: String, _ head: AnswerHead, isAll: Bool) -> Outcome {
        let isChunked = head.tokens("transfer-encoding").contains("chunked")
        let length = head.status == 204 || head.status == 304 ? 0 : head.value("content-length").flatMap { Int($0) }
        let wanted = isChunked ? Self.bodyBytesMax : min(Self.bodyBytesMax, length ?? Self.bodyBytesMax)
        let isEnded =
            isAll || received.count >= wanted || isChunked && received.suffix(5).elementsEqual("0\r\n\r\n".utf8)
        guard isEnded else { return .incomplete }
        let words = excerpt(isChunked ? Self.joined(chunks: received) : Array(received.prefix(max(0, wanted))))
        return give(words.isEmpty ? status : "\(status): \(words)")
    }

    /// The content of a body in chunks, as far as it is there.
    private static func joined(chunks bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var rest = bytes[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            let size = String(decoding: rest[..<end].prefix { $0 != UInt8(ascii: ";") }, as: UTF8.self).trimmed
            guard let count = Int(size, radix: 16), count > 0 else { break }
            rest = rest[(end + 1)...]
            result += rest.prefix(count)
            rest = rest.dropFirst(count).dropFirst(2)
        }
        return result
    }

    /// A stranger's words without what was secret in the request.
    private func excerpt(_ bytes: [UInt8]) -> String {
        var bytes = bytes
        for secret in secrets { bytes = Self.blotting(secret, in: bytes) }
        return String.clean(bytes)
    }

    /// The query, each of its values, and the values of our headers with each word of them; the longest first.
    private var secrets: [[UInt8]] {
        var texts: Set<String> = []
        if let mark = options.url.path.firstIndex(of: "?") {
            let query = options.url.path[mark...].dropFirst()
            texts.insert(String(query))
            for part in query.split(separator: "&") {
                if let value = part.split(separator: "=", maxSplits: 1).dropFirst().first {
                    texts.insert(String(value))
                }
            }
        }
        for (_, value) in options.headers {
            texts.insert(value)
            for word in value.split(separator: " ") { texts.insert(String(word)) }
        }
        // Shorter ones would blot out half of any text.
        return texts.map { Array($0.utf8) }.filter { $0.count >= 4 }.sorted { $0.count > $1.count }
    }

    /// Replaces a secret, and the beginning of one that the end cut.
    private static func blotting(_ secret: [UInt8], in bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = min(secret.count, rest.count)
            if count >= 4, rest.prefix(count).elementsEqual(secret.prefix(count)) {
                result += "***".utf8
                rest = rest.dropFirst(count)
            } else {
                result.append(rest.removeFirst())
            }
        }
        return result
    }
}

/// Status line and fields of an answer.
struct AnswerHead: Equatable {
    let status: Int
    let reason: String
    private var fields: [(name: String, value: String)] = []
    private static let fieldsMax = 128

    /// Reads a head up to and with its empty line; nil for what isn't one.
    init?(_ bytes: ArraySlice<UInt8>) {
        guard !bytes.contains(0) else { return nil }
        var lines = String(decoding: bytes, as: UTF8.self).split(separator: "\r\n", omittingEmptySubsequences: false)
        guard let first = lines.first, lines.count <= Self.fieldsMax + 3 else { return nil }
        let parts = first.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2, parts[0] == "HTTP/1.1" || parts[0] == "HTTP/1.0", parts[1].utf8.count == 3,
            parts[1].utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let status = Int(parts[1])
        else { return nil }
        self.status = status
        reason = parts.count > 2 ? String(parts[2]) : ""
        lines.removeFirst()
        for line in lines where !line.isEmpty {
            guard let colon = line.firstIndex(of: ":"), colon > line.startIndex, line.first != " ", line.first != "\t"
            else { return nil }
            fields.append((line[..<colon].lowercased(), line[line.index(after: colon)...].trimmed))
        }
    }

    /// The values of a field, one a line.
    func values(_ name: String) -> [String] { fields.filter { $0.name == name }.map(\.value) }

    /// The value of a field that stands there once.
    func value(_ name: String) -> String? {
        let values = values(name)
        return values.count == 1 ? values[0] : nil
    }

    /// The members of a list, in lower case.
    func tokens(_ name: String) -> [String] {
        values(name).flatMap { $0.split(separator: ",") }.map { $0.trimmed.lowercased() }.filter { !$0.isEmpty }
    }

    static func == (a: Self, b: Self) -> Bool {
        a.status == b.status && a.reason == b.reason && a.fields.elementsEqual(b.fields) { $0 == $1 }
    }
}

extension StringProtocol {
    /// Without blanks at both ends.
    fileprivate var trimmed: String {
        var rest = Substring(self)
        while let first = rest.first, first == " " || first == "\t" { rest.removeFirst() }
        while let last = rest.last, last == " " || last == "\t" || last == "\r" { rest.removeLast() }
        return String(rest)
    }
}
