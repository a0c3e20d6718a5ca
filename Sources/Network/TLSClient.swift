internal import CLibWebSockets
internal import Glibc

/// Authorities and rules of the TLS clients of a loop; loop thread only.
final class TLSContext {
    fileprivate let context: OpaquePointer

    /// - Parameter caFile: a PEM file in place of the system's authorities.
    /// - Throws: `badTLSFile` when there is no certificate in it that can be read.
    init(caFile: String?) throws(NetworkError) {
        ERR_clear_error()
        guard let context = striketape_tls_context(caFile) else {
            throw NetworkError(.badTLSFile, place: caFile ?? "the system's authorities", cause: TLSClient.queuedWords)
        }
        self.context = context
    }

    deinit { SSL_CTX_free(context) }
}

/// TLS over one connected socket, the client's side: chain and name are always verified; loop thread only.
///
/// It doesn't own the descriptor. After an outcome of `failed` nothing but `deinit` touches the peer.
final class TLSClient {
    enum Outcome: Equatable {
        /// So many bytes.
        case done(Int)
        case wantsReading
        case wantsWriting
        /// The peer ended it properly.
        case ended
        case failed(String)
    }

    private let tls: OpaquePointer

    init(_ context: TLSContext, descriptor: Int32, host: String) throws(NetworkError) {
        ERR_clear_error()
        guard let tls = striketape_tls_connection(context.context, descriptor, host) else {
            throw NetworkError(.cannotSetUp, place: host, cause: Self.queuedWords)
        }
        self.tls = tls
    }

    deinit { SSL_free(tls) }

    /// Goes on with the handshake; `done` when it is over and the peer is the one we asked for.
    func handshake() -> Outcome {
        ERR_clear_error()
        return outcome(SSL_do_handshake(tls))
    }

    /// Reads what one record holds, at most 16 KiB.
    func read(_ buffer: UnsafeMutableRawBufferPointer) -> Outcome {
        ERR_clear_error()
        return outcome(SSL_read(tls, buffer.baseAddress, Int32(clamping: buffer.count)))
    }

    /// Writes as much as the socket takes.
    func write(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        ERR_clear_error()
        return outcome(SSL_write(tls, bytes.baseAddress, Int32(clamping: bytes.count)))
    }

    /// Tells the peer that nothing more comes; once, after the last write.
    func end() {
        ERR_clear_error()
        _ = SSL_shutdown(tls)
    }

    private func outcome(_ result: Int32) -> Outcome {
        if result > 0 { return .done(Int(result)) }
        // Read at once: the next call may change it.
        let system = errno
        switch SSL_get_error(tls, result) {
        case SSL_ERROR_WANT_READ: return .wantsReading
        case SSL_ERROR_WANT_WRITE: return .wantsWriting
        case SSL_ERROR_ZERO_RETURN: return .ended
        case SSL_ERROR_SYSCALL where ERR_peek_error() == 0:
            return .failed(system == 0 ? "ended without the end of TLS" : String(cString: strerror(system)))
        default:
            let verified = SSL_get_verify_result(tls)
            if verified != Int(X509_V_OK) {
                return .failed("certificate refused: \(String(cString: X509_verify_cert_error_string(verified)))")
            }
            return .failed("TLS: \(Self.queuedWords)")
        }
    }

    /// What OpenSSL says about the last failure.
    fileprivate static var queuedWords: String {
        guard let words = ERR_reason_error_string(ERR_get_error()) else { return "refused without a reason" }
        return String(cString: words)
    }
}
