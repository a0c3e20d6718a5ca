package import Wire

/// One JSON object as a line of text, for `--json`.
package enum JSONLine {
    /// A quoted, escaped text.
    package static func quoted(_ text: String) -> String {
        var out: [UInt8] = []
        JSONText.append(text, to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    /// The object whose members `body` writes.
    package static func object(_ body: (inout JSONObject, inout [UInt8]) -> Void) -> String {
        var out: [UInt8] = []
        var object = JSONObject(&out)
        body(&object, &out)
        object.end(&out)
        return String(decoding: out, as: UTF8.self)
    }
}
