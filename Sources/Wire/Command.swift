/// A wish of a user: create, amend or cancel a plan.
///
/// Accepted commands are numbered inputs and stand on the tape.
package struct Command: Sendable, Hashable {
    /// What is wanted.
    package enum Operation: String, Sendable, CaseIterable {
        case create
        case amend
        case cancel
        /// A corporate action's day has come: from the engine's own file, never from outside.
        case adjust
        /// Reads, answered from the plan registry; not numbered, not on the tape.
        case show
        case list
    }

    package var operation: Operation
    /// Unique id of the command, given by whoever sends it; the reply names it.
    package var id: String
    /// The authenticated caller.
    package var owner: String
    /// JSON object: the plan for `create`, `{"id":…,"version":…, changed fields}` for `amend`,
    /// `{"id":…,"version":…}` for `cancel`, `{"id":…}` for `show`, `{}` for `list`,
    /// `{"symbol":…,"exDate":yyyymmdd,"ratio":[numerator,denominator]}` for `adjust`, without a ratio for one to review.
    package var body: [UInt8]

    package init(operation: Operation, id: String, owner: String, body: [UInt8]) {
        self.operation = operation
        self.id = id
        self.owner = owner
        self.body = body
    }
}

/// How a command ended: the payload of a reply is `{"ok":true,"plan":{…}}`, `{"ok":true,"plans":[…]}` or
/// `{"ok":false,"code":"invalid","problems":[{"field":…,"message":…}]}`.
package enum CommandFailure: String, Sendable {
    /// A field is wrong; `problems` says which (HTTP 422).
    case invalid
    /// No such plan, or not the caller's (404).
    case notFound = "not_found"
    /// The `version` precondition doesn't hold, or a live plan of that symbol and style exists (409).
    case conflict
    /// The engine doesn't take commands now (503).
    case unavailable
}
