/// A request to the simulated market over HTTP, already cut into parts.
package struct SimulatedRequest: Equatable, Sendable {
    package var method = "GET"
    /// Percent-decoded, without the query.
    package var path: String
    package var query: [(name: String, value: String)] = []
    /// Names in lower case.
    package var headers: [String: String] = [:]

    package init(path: String, query: [(name: String, value: String)] = [], headers: [String: String] = [:]) {
        (self.path, self.query, self.headers) = (path, query, headers)
    }

    /// Reads a target such as `/v2/last?x=1`.
    package init(target: String, headers: [String: String] = [:]) {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = Self.decoded(parts.first ?? "")
        self.headers = headers
        guard parts.count == 2 else { return }
        query = parts[1].split(separator: "&").map { pair in
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (Self.decoded(sides.first ?? ""), sides.count == 2 ? Self.decoded(sides[1]) : "")
        }
    }

    package static func == (a: Self, b: Self) -> Bool {
        a.method == b.method && a.path == b.path && a.headers == b.headers
            && a.query.elementsEqual(b.query) { $0 == $1 }
    }

    /// The first argument of that name.
    package func argument(_ name: String) -> String? { query.first { $0.name == name }?.value }

    /// What stands after `Bearer`; nil where there is none.
    package var bearer: String? {
        guard let text = headers["authorization"], text.lowercased().hasPrefix("bearer ") else { return nil }
        return String(text.dropFirst(7))
    }

    private static func decoded(_ text: some StringProtocol) -> String {
        var out: [UInt8] = []
        var bytes = Array(text.utf8)[...]
        while let byte = bytes.popFirst() {
            let digits = bytes.prefix(2)
            if byte == UInt8(ascii: "%"), digits.count == 2,
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            {
                out.append(value)
                bytes = bytes.dropFirst(2)
            } else {
                out.append(byte == UInt8(ascii: "+") ? 0x20 : byte)
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}

/// An answer, whole.
package struct SimulatedAnswer: Equatable, Sendable {
    package var status: Int
    package var headers: [String: String] = [:]
    package var body: [UInt8]

    package init(status: Int = 200, json: [UInt8]) {
        self.status = status
        headers = ["content-type": "application/json"]
        body = json
    }

    package init(status: Int, json: String) { self.init(status: status, json: Array(json.utf8)) }

    package init(status: Int, plain: String) {
        self.status = status
        headers = ["content-type": "text/plain"]
        body = Array(plain.utf8)
    }
}
