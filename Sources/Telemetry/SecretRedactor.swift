internal import Primitives

/// Keeps registered secrets out of everything that is written for people: each occurrence becomes `[redacted]`.
///
/// Any thread. Matching is by bytes, longest secret first, so a secret that contains another one leaves no rest.
package final class SecretRedactor: Sendable {
    /// Shorter texts aren't registered: they occur by chance, and a line full of holes says nothing.
    package static let minimumLength = 6
    package static let replacement = "[redacted]"

    private let secrets = Lock<[[UInt8]]>([])

    package init() {}

    /// Registers a secret, its percent-encoded form as a URL carries it, and its quoted form as Swift's and JSON's
    /// descriptions of a structure show it.
    ///
    /// Texts under `minimumLength` bytes are ignored; configuration refuses secrets that short.
    package func register(_ secret: String) {
        let quoted = Array(secret.debugDescription.utf8.dropFirst().dropLast())
        let forms = [Array(secret.utf8), Self.percentEncoded(secret), quoted].filter { form in
            form.count >= Self.minimumLength
        }
        secrets.withLock { known in
            for form in forms where !known.contains(form) { known.append(form) }
            known.sort { $0.count > $1.count }
        }
    }

    /// The text without any registered secret.
    package func redact(_ text: String) -> String {
        let bytes = Array(text.utf8)
        let clean = redact(bytes)
        return clean == bytes ? text : String(decoding: clean, as: UTF8.self)
    }

    /// The bytes without any registered secret.
    package func redact(_ bytes: [UInt8]) -> [UInt8] {
        let known = secrets.withLock { $0 }
        var result = bytes
        for secret in known { result = Self.replace(secret, in: result) }
        return result
    }

    private static func replace(_ secret: [UInt8], in bytes: [UInt8]) -> [UInt8] {
        guard bytes.count >= secret.count else { return bytes }
        var result: [UInt8] = []
        var index = 0
        var found = false
        while index < bytes.count {
            if bytes[index] == secret[0], bytes[index...].starts(with: secret) {
                result.append(contentsOf: replacement.utf8)
                index += secret.count
                found = true
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return found ? result : bytes
    }

    private static func percentEncoded(_ text: String) -> [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        var result: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                result.append(byte)
            default:
                result.append(contentsOf: [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]])
            }
        }
        return result
    }
}
