internal import CLibWebSockets

/// The key of an opening handshake, and what a server must make of it (RFC 6455, 4.1 and 4.2.2).
package struct WebSocketKey: Sendable, Equatable {
    /// `Sec-WebSocket-Key`: sixteen bytes in Base64.
    package let text: String
    /// `Sec-WebSocket-Accept`: the SHA-1 of the key and a fixed text, in Base64.
    package let accept: String

    private static let fixedText = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

    /// A key of sixteen bytes, which need not be secret but never the same again.
    package init(_ nonce: (UInt64, UInt64)) {
        self.init(text: withUnsafeBytes(of: nonce) { Self.base64($0) })
    }

    /// A key as a client sent it.
    package init(text: String) {
        self.text = text
        let input = Array((text + Self.fixedText).utf8)
        accept = withUnsafeTemporaryAllocation(byteCount: Int(SHA_DIGEST_LENGTH), alignment: 1) { digest in
            SHA1(input, input.count, digest.assumingMemoryBound(to: UInt8.self).baseAddress)
            return Self.base64(UnsafeRawBufferPointer(digest))
        }
    }

    private static func base64(_ bytes: UnsafeRawBufferPointer) -> String {
        // Four characters for three bytes, and a NUL.
        String(unsafeUninitializedCapacity: (bytes.count + 2) / 3 * 4 + 1) { buffer in
            Int(
                EVP_EncodeBlock(
                    buffer.baseAddress,
                    bytes.assumingMemoryBound(to: UInt8.self).baseAddress,
                    Int32(bytes.count)
                )
            )
        }
    }
}
