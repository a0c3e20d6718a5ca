/// Why a command wasn't carried out, as the reply's payload says it.
package struct CommandRefusal: Error, Sendable, Equatable {
    /// One field that is wrong.
    package struct Problem: Sendable, Equatable {
        package var field: String
        package var message: String

        package init(field: String, message: String) {
            self.field = field
            self.message = message
        }
    }

    package var failure: CommandFailure
    package var problems: [Problem]

    package init(_ failure: CommandFailure, problems: [Problem]) {
        self.failure = failure
        self.problems = problems
    }

    package init(_ failure: CommandFailure, field: String, message: String) {
        self.init(failure, problems: [Problem(field: field, message: message)])
    }

    /// No such plan; also the answer where it is somebody else's.
    package init(_ failure: CommandFailure, plan: String) {
        self.init(failure, field: "id", message: "no plan \(plan)")
    }

    /// Appends `{"ok":false,"code":…,"problems":[…]}`.
    package func encode(into out: inout [UInt8]) {
        var object = JSONObject(&out)
        object.field("ok", false, to: &out)
        object.field("code", failure.rawValue as String?, to: &out)
        object.key("problems", to: &out)
        JSONText.append(
            .array(
                problems.map {
                    .object([(key: "field", value: .string($0.field)), (key: "message", value: .string($0.message))])
                }
            ),
            to: &out
        )
        object.end(&out)
    }
}
