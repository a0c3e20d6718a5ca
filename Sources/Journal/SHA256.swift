internal import COpenSSL

/// SHA-256 by libcrypto, fed piece by piece.
///
/// Not safe for several threads at once.
package struct SHA256: ~Copyable {
    /// Bytes of a digest.
    package static let size = 32

    // Fetched once: a fetch by name costs more than hashing a message.
    nonisolated(unsafe) private static let algorithm: OpaquePointer = {
        guard let found = EVP_MD_fetch(nil, "SHA256", nil) else { preconditionFailure("libcrypto has no SHA-256") }
        return found
    }()

    private let context: OpaquePointer

    package init() {
        guard let context = EVP_MD_CTX_new() else { preconditionFailure("EVP_MD_CTX_new failed") }
        self.context = context
        restart()
    }

    deinit { EVP_MD_CTX_free(context) }

    private borrowing func restart() {
        let status = EVP_DigestInit_ex(context, Self.algorithm, nil)
        precondition(status == 1, "EVP_DigestInit_ex failed")
    }

    /// Adds bytes.
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        let status = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
        precondition(status == 1, "EVP_DigestUpdate failed")
    }

    /// Adds bytes.
    package mutating func update(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { update($0) }
    }

    /// The digest of all bytes so far; more may be added afterwards.
    package borrowing func digest() -> [UInt8] {
        guard let copy = EVP_MD_CTX_new() else { preconditionFailure("EVP_MD_CTX_new failed") }
        defer { EVP_MD_CTX_free(copy) }
        let copied = EVP_MD_CTX_copy_ex(copy, context)
        precondition(copied == 1, "EVP_MD_CTX_copy_ex failed")
        return Self.finish(copy)
    }

    /// The digest so far, and a new beginning.
    package mutating func finishAndRestart() -> [UInt8] {
        defer { restart() }
        return Self.finish(context)
    }

    private static func finish(_ context: OpaquePointer) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            let status = EVP_DigestFinal_ex(context, buffer.baseAddress, nil)
            precondition(status == 1, "EVP_DigestFinal_ex failed")
            count = size
        }
    }

    /// The digest of one piece.
    package static func digest(_ bytes: [UInt8]) -> [UInt8] {
        var hash = SHA256()
        hash.update(bytes)
        return hash.finishAndRestart()
    }

    /// Lower-case hexadecimal text.
    package static func hex(_ bytes: some Collection<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count * 2)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
