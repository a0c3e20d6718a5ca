internal import Console
package import Network

/// What an HTTP request of the public listener asks for.
package enum Route: Sendable, Equatable {
    /// A file of the page: its place in `ConsoleFiles.all`.
    case file(Int)
    case listPlans
    case createPlan
    case showPlan(String)
    case amendPlan(String)
    case cancelPlan(String)
    /// The plan's snapshot with its derived fields.
    case idea(String)
    /// Snapshots of channels, as the first frame of a WebSocket would have them.
    case state
    case symbols
    /// The trading session now, and what kind of day it is.
    case session

    /// Whether it is answered without a key: the page asks for it itself.
    package var isOpen: Bool {
        if case .file = self { true } else { false }
    }

    /// Reads method and path.
    package static func of(_ request: HTTPRequest) throws(Problem) -> Route {
        let method: HTTPRequest.Method = request.method == .head ? .get : request.method
        if let file = ConsoleFiles.all.firstIndex(where: { $0.path == request.path }) {
            try allow([.get], method)
            return .file(file)
        }
        switch request.path {
        case "/api/v1/plans":
            try allow([.get, .post], method)
            return method == .get ? .listPlans : .createPlan
        case "/api/v1/stream/state":
            try allow([.get], method)
            return .state
        case "/api/v1/symbols":
            try allow([.get], method)
            return .symbols
        case "/api/v1/session":
            try allow([.get], method)
            return .session
        default: break
        }
        if let id = planID(request.path, after: "/api/v1/plans/") {
            try allow([.get, .patch, .delete], method)
            return method == .get ? .showPlan(id) : method == .patch ? .amendPlan(id) : .cancelPlan(id)
        }
        if let id = planID(request.path, after: "/idea/") {
            try allow([.get], method)
            return .idea(id)
        }
        throw .notFound
    }

    private static func planID(_ path: String, after prefix: String) -> String? {
        guard path.hasPrefix(prefix) else { return nil }
        let id = String(path.dropFirst(prefix.count))
        return Identifiers.isPlan(id) ? id : nil
    }

    private static func allow(_ methods: [HTTPRequest.Method], _ method: HTTPRequest.Method) throws(Problem) {
        guard !methods.contains(method) else { return }
        let names = methods.map(\.rawValue).joined(separator: ", ")
        throw Problem(405, "method_not_allowed", "\(method.rawValue) is not one of \(names)")
    }
}

/// What a WebSocket's path asks for at once.
package enum SocketPath {
    /// The channels of a path; nil for one that is unknown (4004).
    package static func channels(_ path: String) -> [String]? {
        if path == "/ws" { return [] }
        for (prefix, kinds) in [("/ws/plans/", ["plan"]), ("/stream/", ["symbol", "bands"])] {
            guard path.hasPrefix(prefix) else { continue }
            let key = path.dropFirst(prefix.count)
            guard !key.isEmpty, !key.contains("/"), key.utf8.count <= 80 else { return nil }
            return kinds.map { "\($0):\(key)" }
        }
        return nil
    }
}
