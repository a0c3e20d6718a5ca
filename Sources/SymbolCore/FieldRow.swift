package import Primitives
internal import Wire

/// The fields of one conflatable payload: what they were when last published, and which changed since.
///
/// Values are integers (micros, counts, flags, numbers of names), so that "changed" is exact and writing is cheap.
package struct FieldRow: Sendable {
    /// How a field is written.
    package enum Form: Sendable {
        /// Millionths, as an exact decimal; derived values are rounded to six decimals.
        case decimal
        case integer
        case flag
        case name([String])
    }

    package struct Field: Sendable {
        var name: String
        var form: Form
        /// Written with the others, but its change alone publishes nothing (an age).
        var isPassive = false

        package init(name: String, form: Form, isPassive: Bool = false) {
            self.name = name
            self.form = form
            self.isPassive = isPassive
        }
    }

    /// Stands for `null`.
    package static let null = Int64.min

    private let fields: [Field]
    private var published: [Int64]
    private var values: [Int64]
    /// Nulls are said once, so that a reader sees every field.
    private var isFresh = true

    package init(_ fields: [Field]) {
        self.fields = fields
        published = Array(repeating: Self.null, count: fields.count)
        values = published
    }

    package subscript(index: Int) -> Int64 {
        get { values[index] }
        set { values[index] = newValue }
    }

    package mutating func set(_ index: Int, _ value: Price?) { values[index] = value?.micros ?? Self.null }
    package mutating func set(_ index: Int, _ value: Size?) { values[index] = value?.micros ?? Self.null }
    package mutating func set(_ index: Int, _ value: Bool?) { values[index] = value.map { $0 ? 1 : 0 } ?? Self.null }

    /// Sets a statistic, rounded to millionths; null where it's unknown or outside the range of a price.
    package mutating func set(_ index: Int, _ value: Double?) {
        guard let value, value.isFinite, abs(value) < 9e12 else {
            values[index] = Self.null
            return
        }
        values[index] = Int64((value * 1e6).rounded())
    }

    /// Says everything again at the next write: somebody new listens who has no state yet.
    package mutating func forget() { isFresh = true }

    /// Whether a write would say anything.
    package var isDirty: Bool {
        if isFresh { return true }
        for index in fields.indices where !fields[index].isPassive && values[index] != published[index] { return true }
        return false
    }

    /// Appends the object of the changed fields, and takes them as published.
    package mutating func write(to out: inout [UInt8]) {
        var object = JSONObject(&out)
        for index in fields.indices where isFresh || fields[index].isPassive || values[index] != published[index] {
            object.key(fields[index].name, to: &out)
            append(index, to: &out)
            published[index] = values[index]
        }
        isFresh = false
        object.end(&out)
    }

    private func append(_ index: Int, to out: inout [UInt8]) {
        let value = values[index]
        guard value != Self.null else {
            out.append(contentsOf: "null".utf8)
            return
        }
        switch fields[index].form {
        case .decimal: DecimalText.append(micros: value, to: &out)
        case .integer: DecimalText.append(value, to: &out)
        case .flag: out.append(contentsOf: (value != 0 ? "true" : "false").utf8)
        case .name(let names): JSONText.append(names[Int(value)], to: &out)
        }
    }
}
