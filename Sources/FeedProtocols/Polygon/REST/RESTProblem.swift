/// Why an answer's body can't be used.
package struct RESTProblem: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// Not JSON, or not of the shape that the call answers with.
        case shape
        /// The provider says that it is an error.
        case refused
        case field(FieldProblem)
    }

    package let code: Code
    package let cause: String

    package init(_ code: Code, _ cause: String) {
        self.code = code
        self.cause = cause
    }

    init(_ problem: FieldProblem) {
        code = .field(problem)
        cause = problem.description
    }

    package var description: String { cause }
}

/// What stands around the rows of an answer.
package struct PolygonEnvelope: Hashable, Sendable {
    /// `OK`, `DELAYED`, `ERROR`, `NOT_AUTHORIZED`; empty where absent.
    package let status: String
    package let requestID: String
    /// The link to the next page; it carries all parameters.
    package let next: String?
    /// The data is 15 minutes old.
    package var isDelayed: Bool { status == "DELAYED" }

    /// - Throws: where the provider says that it is an error, or it isn't an object.
    init(_ body: RESTTree) throws(RESTProblem) {
        guard body.isObject else { throw RESTProblem(.shape, "not an object") }
        status = body["status"]?.string ?? ""
        requestID = body["request_id"]?.string ?? ""
        next = body["next_url"]?.string
        let isGood = status.isEmpty || status == "OK" || status == "DELAYED"
        guard isGood else { throw RESTProblem(.refused, PolygonREST.words(of: body) ?? status) }
    }

    /// The rows of an answer; none where `results` is missing, as it is when nothing was found.
    static func rows(_ body: RESTTree) throws(RESTProblem) -> [RESTTree] {
        guard let results = body["results"] else { return [] }
        guard let rows = results.array else { throw RESTProblem(.shape, "results are no array") }
        return rows
    }
}

/// Reads every row on its own: a bad one is told and left out.
func readRows<Row>(
    _ rows: [RESTTree],
    _ read: (RowReader) throws(FieldProblem) -> Row
) -> (rows: [Row], malformed: [FieldProblem]) {
    var good: [Row] = []
    var bad: [FieldProblem] = []
    good.reserveCapacity(rows.count)
    for row in rows {
        guard row.isObject else {
            bad.append(FieldProblem("row", .type))
            continue
        }
        do {
            good.append(try read(RowReader(row)))
        } catch {
            bad.append(error)
        }
    }
    return (good, bad)
}

extension PolygonREST {
    /// Longest words of the provider that are handed on, in bytes.
    static let wordsLimit = 240

    /// What an error's body says, for people: an envelope's `error` or `message`, or a plain text's first line.
    ///
    /// Control characters become spaces; the key has still to be taken out.
    package static func words(ofError body: [UInt8]) -> String {
        if let tree = RESTTree(body), tree.isObject {
            return cut(words(of: tree) ?? tree["status"]?.string ?? "")
        }
        let line = body.prefix(wordsLimit * 4).prefix { $0 != 0x0A && $0 != 0x0D }
        return cut(String(decoding: line, as: UTF8.self))
    }

    /// What a body that came with a good status says against itself; nil where nothing.
    package static func problem(of body: RESTTree) -> String? {
        do {
            _ = try PolygonEnvelope(body)
            return nil
        } catch {
            return error.description
        }
    }

    static func words(of body: RESTTree) -> String? {
        let said = body["error"]?.string ?? body["message"]?.string
        guard let said else { return nil }
        let status = body["status"]?.string ?? ""
        return cut(status.isEmpty ? said : "\(status): \(said)")
    }

    private static func cut(_ text: String) -> String {
        var out = ""
        for scalar in text.unicodeScalars {
            guard out.utf8.count < wordsLimit else { break }
            out.unicodeScalars.append(scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) ? " " : scalar)
        }
        return out
    }
}
