/// A whole answer.
package struct RESTReply: Sendable, Equatable {
    package var status: Int
    /// Names in lower case.
    package var headers: [String: String]
    package var body: [UInt8]

    package init(status: Int, headers: [String: String] = [:], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// How an attempt ended.
package enum RESTResult: Sendable, Equatable {
    case reply(RESTReply)
    /// No whole answer came; words for people, without the key.
    case failed(String)
    /// The body grew over the limit and was cut.
    case tooLarge
}

/// What performs a GET: the one place where the network is.
package protocol RESTTransport: AnyObject, Sendable {
    /// Sends a GET with this `Authorization` header; `done` is called once, from any thread.
    ///
    /// `attempt` names it for `cancel`. Redirects aren't followed: they are the answer.
    func start(
        _ attempt: Int,
        url: String,
        authorization: String,
        done: @escaping @Sendable (RESTResult) -> Void
    )
    /// Gives an attempt up; its `done` is still called. Unknown ones are ignored.
    func cancel(_ attempt: Int)
    /// Gives all up and ends.
    func stop()
}
