internal import Network

/// What the public listener answers with the help of the bus, away from the loop.
struct PublicAPI: Sendable {
    struct Outcome: Sendable {
        var response: HTTPResponse
        /// The problem's code, where it is one.
        var failure: String?
    }

    let user: String
    let plans: PlanAPI
    let states: StateReader

    func outcome(of route: Route, _ request: HTTPRequest, requestID: String) async -> Outcome {
        do throws(Problem) {
            return Outcome(response: try await response(to: route, request), failure: nil)
        } catch {
            return Outcome(response: error.response(requestID: requestID), failure: error.code)
        }
    }

    private func response(to route: Route, _ request: HTTPRequest) async throws(Problem) -> HTTPResponse {
        switch route {
        case .listPlans: return try await plans.list(owner: user)
        case .createPlan: return try await plans.create(request, owner: user)
        case .showPlan(let id): return try await plans.show(id, owner: user)
        case .amendPlan(let id): return try await plans.amend(id, request, owner: user)
        case .cancelPlan(let id): return try await plans.cancel(id, request, owner: user)
        case .idea(let id): return PlanAPI.json(200, try await states.plan(id, user: user))
        case .state:
            let names = (request.argument("channels") ?? "").split(separator: ",").map(String.init)
            return PlanAPI.json(200, try await states.frame(names, user: user))
        case .file, .symbols, .session: preconditionFailure("route \(route) is answered on the loop")
        }
    }

    /// The response with the id that is in the log.
    static func marked(_ response: HTTPResponse, _ requestID: String) -> HTTPResponse {
        guard !response.headers.contains(where: { $0.name == Problem.requestHeader }) else { return response }
        var response = response
        response.headers.append((Problem.requestHeader, requestID))
        return response
    }
}
