internal import CLibWebSockets
internal import Glibc
internal import Primitives

// Requests and answers of one socket.
extension ServerSocket {
    /// Headers came: checks what would confuse the library, then waits for the body or asks the handler.
    func requestBegan() -> Int32 {
        guard case .idle = phase else { return -1 }
        requestNumber += 1
        server.tally.requests += 1
        closesAfterAnswer = isDraining
        guard let request = parseRequest() else { return refuse(400, "request not understood") }
        guard header(WSI_TOKEN_HTTP_TRANSFER_ENCODING) == nil else {
            // The library would take the chunks for the next request.
            return refuse(501, "no transfer encodings; send a content-length")
        }
        switch bodyLength(request) {
        case .none: return handle(request)
        case .missing: return refuse(411, "content-length needed")
        case .bad: return refuse(400, "content-length not understood")
        case .bytes(let count):
            guard count <= server.options.bodyBytesMax else {
                server.tally.tooBigBodies += 1
                return refuse(413, "body above \(server.options.bodyBytesMax) bytes")
            }
            var request = request
            request.body.reserveCapacity(count)
            phase = .body(request)
            return 0
        }
    }

    func bodyCame(_ bytes: UnsafeRawBufferPointer) -> Int32 {
        guard case .body(var request) = phase else { return 0 }
        guard request.body.count + bytes.count <= server.options.bodyBytesMax else { return -1 }
        // Taken out first, so that appending doesn't copy.
        phase = .idle
        request.body.append(contentsOf: bytes)
        phase = .body(request)
        return 0
    }

    func bodyEnded() -> Int32 {
        // The library says so again when more bytes come before the answer.
        guard case .body(let request) = phase else { return 0 }
        return handle(request)
    }

    private func handle(_ request: HTTPRequest) -> Int32 {
        phase = .handling(request.method)
        deadline = SystemClock.monotonicNanos() + server.options.answerNanosMax
        // Nothing is read until the answer is out: the library can't queue a second request.
        lws_rx_flow_control(socket, 0)
        lws_set_timeout(socket, NO_PENDING_TIMEOUT, 0)
        server.handler.request(
            request,
            HTTPResponder(loop: server.loop, server: server, handle: handle, number: requestNumber)
        )
        return 0
    }

    /// Takes the answer to request `number`; later ones are dropped.
    func respond(_ response: HTTPResponse, number: Int) {
        guard number == requestNumber, case .handling(let method) = phase else { return }
        closesAfterAnswer = closesAfterAnswer || isDraining
        phase = .answering(PendingResponse(response, to: method, close: closesAfterAnswer))
        deadline = SystemClock.monotonicNanos() + server.options.answerNanosMax
        // Under flow control the library wouldn't say that it may be written, either.
        lws_rx_flow_control(socket, 1)
        lws_callback_on_writable(socket)
    }

    func httpWritable() -> Int32 {
        guard case .answering(var response) = phase else { return 0 }
        guard let isWhole = response.write(to: socket, through: context.output) else { return -1 }
        guard isWhole else {
            phase = .answering(response)
            deadline = SystemClock.monotonicNanos() + server.options.answerNanosMax
            lws_callback_on_writable(socket)
            return 0
        }
        return answered(closes: response.closes)
    }

    private func answered(closes: Bool) -> Int32 {
        phase = .idle
        deadline = SystemClock.monotonicNanos() + server.options.requestNanosMax
        // The library sends what it has buffered before it closes.
        if closes { return -1 }
        return lws_http_transaction_completed(socket) == 0 ? 0 : -1
    }

    /// Answers at once; the body, if one is coming, is read and thrown away by the library, within our deadline.
    private func refuse(_ status: Int, _ detail: String) -> Int32 {
        if status != 413 { server.tally.badRequests += 1 }
        // Only a body whose length is known can be skipped; after anything else the stream is out of step.
        let closes = status != 413
        var response = PendingResponse(.problem(status, detail), to: .get, close: closes)
        guard response.write(to: socket, through: context.output) == true else { return -1 }
        return answered(closes: closes)
    }

    // MARK: Headers

    private enum BodyLength {
        case none
        case missing
        case bad
        case bytes(Int)
    }

    private func bodyLength(_ request: HTTPRequest) -> BodyLength {
        let needsOne = request.method == .post || request.method == .put || request.method == .patch
        guard let text = request[.contentLength] else { return needsOne ? .missing : .none }
        // A list of two lengths has a comma and is refused here.
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let count = Int(text) else {
            return .bad
        }
        // With POST the library reports an empty body too.
        return count == 0 && request.method != .post ? .none : .bytes(count)
    }

    func parseRequest() -> HTTPRequest? {
        guard let (method, path) = methodAndPath(), !path.utf8.contains(0) else { return nil }
        var request = HTTPRequest(method: method, path: path)
        request.arguments = arguments()
        for name in HTTPRequest.Header.allCases {
            guard let value = value(of: name) else { continue }
            request.headers[name] = value
        }
        // Nobody means a NUL, and whatever is C behind us would end there.
        let texts = request.arguments.flatMap { [$0.name, $0.value] } + request.headers.values
        guard texts.allSatisfy({ !$0.utf8.contains(0) }) else { return nil }
        request.isSecure = lws_is_ssl(socket) != 0
        request.peer = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
            guard let start = buffer.baseAddress, lws_get_peer_simple(socket, start, buffer.count) != nil else {
                return ""
            }
            return String(cString: start)
        }
        return request
    }

    private func methodAndPath() -> (HTTPRequest.Method, String)? {
        let tokens: [(lws_token_indexes, HTTPRequest.Method)] = [
            (WSI_TOKEN_GET_URI, .get), (WSI_TOKEN_POST_URI, .post), (WSI_TOKEN_PATCH_URI, .patch),
            (WSI_TOKEN_DELETE_URI, .delete), (WSI_TOKEN_PUT_URI, .put), (WSI_TOKEN_HEAD_URI, .head),
            (WSI_TOKEN_OPTIONS_URI, .options),
        ]
        for (token, method) in tokens {
            guard let path = header(token) else { continue }
            return path.hasPrefix("/") ? (method, path) : nil
        }
        return nil
    }

    /// The arguments, which the library keeps apart and decoded.
    private func arguments() -> [HTTPRequest.Argument] {
        var result: [HTTPRequest.Argument] = []
        while let text = copied({ start, count in
            lws_hdr_copy_fragment(socket, start, count, WSI_TOKEN_HTTP_URI_ARGS, Int32(result.count))
        }) {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            result.append(HTTPRequest.Argument(name: String(parts[0]), value: parts.count > 1 ? String(parts[1]) : ""))
        }
        return result
    }

    private func value(of name: HTTPRequest.Header) -> String? {
        switch name {
        case .host: header(WSI_TOKEN_HOST)
        case .origin: header(WSI_TOKEN_ORIGIN)
        case .authorization: header(WSI_TOKEN_HTTP_AUTHORIZATION)
        case .contentType: header(WSI_TOKEN_HTTP_CONTENT_TYPE)
        case .contentLength: header(WSI_TOKEN_HTTP_CONTENT_LENGTH)
        case .accept: header(WSI_TOKEN_HTTP_ACCEPT)
        case .ifMatch: header(WSI_TOKEN_HTTP_IF_MATCH)
        case .ifNoneMatch: header(WSI_TOKEN_HTTP_IF_NONE_MATCH)
        case .userAgent: header(WSI_TOKEN_HTTP_USER_AGENT)
        case .forwardedFor: header(WSI_TOKEN_X_FORWARDED_FOR)
        case .idempotencyKey, .userID, .lastEventID: customHeader(name.rawValue + ":")
        }
    }

    /// More than the library keeps for all headers of a request.
    private static let headerBytesMax = 8_400

    func header(_ token: lws_token_indexes) -> String? {
        guard lws_hdr_total_length(socket, token) > 0 else { return nil }
        return copied { lws_hdr_copy(socket, $0, $1, token) }
    }

    private func customHeader(_ name: String) -> String? {
        copied { lws_hdr_custom_copy(socket, $0, $1, name, Int32(name.utf8.count)) }
    }

    private func copied(_ copy: (UnsafeMutablePointer<CChar>, Int32) -> Int32) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Self.headerBytesMax) { buffer in
            guard let start = buffer.baseAddress else { return nil }
            let count = Int(copy(start, Int32(buffer.count)))
            guard count > 0, count <= buffer.count else { return nil }
            // By its length: the library decodes %00 in paths, where a C string would end.
            return String(decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self)
        }
    }
}

extension HTTPResponse {
    /// A problem document (RFC 9457); `detail` is ours, not a stranger's text.
    static func problem(_ status: Int, _ detail: String) -> HTTPResponse {
        HTTPResponse(
            status: status,
            "application/problem+json",
            "{\"type\":\"about:blank\",\"status\":\(status),\"detail\":\"\(detail)\"}"
        )
    }
}
