internal import Foundation
internal import FoundationNetworking
internal import Primitives

/// GETs by Foundation's URLSession over libcurl: certificate and host name are verified, nothing is stored.
///
/// Ephemeral, without cookies, cache and credentials; redirects are never followed; the body is cut at a limit while it
/// comes. Works on a queue of its own; any thread. Ends with `stop`.
package final class URLSessionTransport: RESTTransport {
    /// Limits of an attempt.
    package struct Options: Sendable {
        /// Longest body, unpacked.
        ///
        /// The cut takes effect after what the session has queued by then: on a loopback that was another 65 MB.
        package var bodyBytesMax = 64 << 20
        /// Without a byte for so long, the attempt fails; its whole time is bounded by who started it.
        package var silenceSeconds: Double = 15

        package init() {}
    }

    private let delegate: SessionDelegate

    package init(options: Options = Options()) { delegate = SessionDelegate(options) }

    package func start(
        _ attempt: Int,
        url: String,
        authorization: String,
        done: @escaping @Sendable (RESTResult) -> Void
    ) {
        delegate.start(attempt, url: url, authorization: authorization, done: done)
    }

    package func cancel(_ attempt: Int) { delegate.cancel(attempt) }

    package func stop() { delegate.stop() }
}

/// The session's delegate and owner of its tasks; any thread.
private final class SessionDelegate: NSObject, URLSessionDataDelegate {
    private struct Attempt {
        let number: Int
        let done: @Sendable (RESTResult) -> Void
        var body: [UInt8] = []
        var isTooLarge = false
        /// A 401 that asked for credentials.
        var refusal: RESTReply?
    }

    private struct State {
        /// By task identifier.
        var attempts: [Int: Attempt] = [:]
        var tasks: [Int: URLSessionTask] = [:]
        var session: URLSession?
        var isStopped = false
    }

    private let options: URLSessionTransport.Options
    private let state = Lock(State())

    init(_ options: URLSessionTransport.Options) {
        self.options = options
        super.init()
    }

    func start(
        _ attempt: Int,
        url: String,
        authorization: String,
        done: @escaping @Sendable (RESTResult) -> Void
    ) {
        guard let url = URL(string: url) else { return done(.failed("not a URL")) }
        var request = URLRequest(url: url)
        request.httpMethod = "GET"
        request.setValue(authorization, forHTTPHeaderField: "Authorization")
        request.setValue("application/json", forHTTPHeaderField: "Accept")
        request.setValue("striketape", forHTTPHeaderField: "User-Agent")
        let task: URLSessionTask? = state.withLock { state in
            guard !state.isStopped else { return nil }
            let session = state.session ?? makeSession()
            state.session = session
            let task = session.dataTask(with: request)
            state.attempts[task.taskIdentifier] = Attempt(number: attempt, done: done)
            state.tasks[attempt] = task
            return task
        }
        guard let task else { return done(.failed("stopped")) }
        task.resume()
    }

    func cancel(_ attempt: Int) {
        let task = state.withLock { $0.tasks[attempt] }
        task?.cancel()
    }

    func stop() {
        let session: URLSession? = state.withLock { state in
            state.isStopped = true
            defer { state.session = nil }
            return state.session
        }
        // The session holds its delegate until then.
        session?.invalidateAndCancel()
    }

    private func makeSession() -> URLSession {
        let configuration = URLSessionConfiguration.ephemeral
        configuration.httpCookieStorage = nil
        configuration.httpCookieAcceptPolicy = .never
        configuration.httpShouldSetCookies = false
        configuration.urlCache = nil
        configuration.urlCredentialStorage = nil
        configuration.requestCachePolicy = .reloadIgnoringLocalCacheData
        configuration.timeoutIntervalForRequest = options.silenceSeconds
        let queue = OperationQueue()
        queue.name = "rest"
        queue.maxConcurrentOperationCount = 1
        return URLSession(configuration: configuration, delegate: self, delegateQueue: queue)
    }

    // MARK: Delegate, on the session's queue

    func urlSession(
        _ session: URLSession,
        task: URLSessionTask,
        willPerformHTTPRedirection response: HTTPURLResponse,
        newRequest request: URLRequest,
        completionHandler: @escaping (URLRequest?) -> Void
    ) {
        // The new request would carry the key wherever it leads.
        completionHandler(nil)
    }

    func urlSession(
        _ session: URLSession,
        task: URLSessionTask,
        didReceive challenge: URLAuthenticationChallenge,
        completionHandler: @escaping (URLSession.AuthChallengeDisposition, URLCredential?) -> Void
    ) {
        // There is no other credential than the key, which the server has seen. This implementation gives up the answer
        // with the challenge, so what it was is kept here.
        let response = challenge.failureResponse as? HTTPURLResponse
        state.withLock { $0.attempts[task.taskIdentifier]?.refusal = response.map { Self.reply($0, []) } }
        completionHandler(.cancelAuthenticationChallenge, nil)
    }

    func urlSession(
        _ session: URLSession,
        dataTask: URLSessionDataTask,
        didReceive response: URLResponse,
        completionHandler: @escaping (URLSession.ResponseDisposition) -> Void
    ) {
        completionHandler(.allow)
        guard response.expectedContentLength > Int64(options.bodyBytesMax) else { return }
        state.withLock { $0.attempts[dataTask.taskIdentifier]?.isTooLarge = true }
        dataTask.cancel()
    }

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
        let mustCut = state.withLock { state -> Bool in
            guard var attempt = state.attempts.removeValue(forKey: dataTask.taskIdentifier) else { return false }
            defer { state.attempts[dataTask.taskIdentifier] = attempt }
            guard !attempt.isTooLarge else { return false }
            guard attempt.body.count + data.count <= options.bodyBytesMax else {
                attempt.isTooLarge = true
                attempt.body = []
                return true
            }
            attempt.body.append(contentsOf: data)
            return false
        }
        if mustCut { dataTask.cancel() }
    }

    func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
        let attempt = state.withLock { state -> Attempt? in
            guard let attempt = state.attempts.removeValue(forKey: task.taskIdentifier) else { return nil }
            state.tasks[attempt.number] = nil
            return attempt
        }
        guard let attempt else { return }
        if attempt.isTooLarge { return attempt.done(.tooLarge) }
        if var refusal = attempt.refusal {
            refusal.body = attempt.body
            return attempt.done(.reply(refusal))
        }
        if let error { return attempt.done(.failed(Self.words(error))) }
        guard let response = task.response as? HTTPURLResponse else { return attempt.done(.failed("no answer")) }
        attempt.done(.reply(Self.reply(response, attempt.body)))
    }

    private static func reply(_ response: HTTPURLResponse, _ body: [UInt8]) -> RESTReply {
        var headers: [String: String] = [:]
        for (name, value) in response.allHeaderFields {
            if let name = name as? String, let value = value as? String { headers[name.lowercased()] = value }
        }
        return RESTReply(status: response.statusCode, headers: headers, body: body)
    }

    /// The cause alone: an error's full description holds the URL.
    private static func words(_ error: any Error) -> String {
        let error = error as NSError
        if error.domain == NSURLErrorDomain {
            switch error.code {
            case NSURLErrorTimedOut: return "timed out"
            case NSURLErrorCancelled: return "cancelled"
            default: break
            }
        }
        return String(error.localizedDescription.prefix(200))
    }
}
