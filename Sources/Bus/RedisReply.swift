internal import CHiredis

/// A reply of Redis (RESP2).
enum RedisReply: Equatable, Sendable {
    case text([UInt8])
    case status(String)
    case integer(Int64)
    case error(String)
    case array([RedisReply])
    case none

    /// The text of a string or status.
    var string: String? {
        switch self {
        case .text(let bytes): String(decoding: bytes, as: UTF8.self)
        case .status(let text): text
        default: nil
        }
    }

    var bytes: [UInt8]? {
        if case .text(let bytes) = self { bytes } else { nil }
    }

    var elements: [RedisReply]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    var errorText: String? {
        if case .error(let text) = self { text } else { nil }
    }

    /// The first word of an error: `NOSCRIPT`, `WRONGPASS`; holds nothing that was sent.
    static func code(of error: String) -> String { String(error.prefix { $0 != " " }) }
}

/// Bytes from a connection → replies, by the reader of hiredis; one connection's thread only.
final class RedisParser {
    /// The bytes of one reply that aren't whole yet, at most: more is a server that speaks something else.
    static let replyBytesMax = 64 << 20

    private let reader: UnsafeMutablePointer<redisReader>
    private var bytesSinceReply = 0

    init() {
        guard let reader = redisReaderCreate() else { preconditionFailure("no memory for a reply reader") }
        self.reader = reader
    }

    deinit { redisReaderFree(reader) }

    /// Takes bytes.
    ///
    /// - Returns: what is wrong, nil where nothing is.
    func feed(_ bytes: UnsafeRawBufferPointer) -> String? {
        bytesSinceReply += bytes.count
        if bytesSinceReply > Self.replyBytesMax { return "a reply is larger than \(Self.replyBytesMax) bytes" }
        let status = redisReaderFeed(reader, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
        return status == REDIS_OK ? nil : errorText
    }

    /// The next whole reply.
    func next() -> Step {
        var raw: UnsafeMutableRawPointer?
        guard redisReaderGetReply(reader, &raw) == REDIS_OK else { return .broken(errorText) }
        guard let raw else { return .incomplete }
        defer { freeReplyObject(raw) }
        bytesSinceReply = 0
        return .reply(Self.convert(raw.assumingMemoryBound(to: redisReply.self).pointee))
    }

    enum Step {
        case reply(RedisReply)
        case incomplete
        /// The stream can't be read any further.
        case broken(String)
    }

    private var errorText: String {
        withUnsafeBytes(of: &reader.pointee.errstr) {
            "protocol: " + String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
    }

    private static func convert(_ reply: redisReply) -> RedisReply {
        switch reply.type {
        case REDIS_REPLY_STRING: return .text(bytes(reply))
        case REDIS_REPLY_STATUS: return .status(String(decoding: bytes(reply), as: UTF8.self))
        case REDIS_REPLY_ERROR: return .error(String(decoding: bytes(reply), as: UTF8.self))
        case REDIS_REPLY_INTEGER: return .integer(reply.integer)
        case REDIS_REPLY_ARRAY:
            let elements = UnsafeBufferPointer(start: reply.element, count: Int(reply.elements))
            return .array(elements.map { element in element.map { convert($0.pointee) } ?? .none })
        default: return .none
        }
    }

    private static func bytes(_ reply: redisReply) -> [UInt8] {
        guard let text = reply.str else { return [] }
        return Array(UnsafeRawBufferPointer(start: text, count: Int(reply.len)))
    }
}
