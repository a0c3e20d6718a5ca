package import Primitives

/// The JSON text of a REST answer as a tree, read by the strict scanner that reads the frames.
///
/// Numbers keep their text, so that a price is never a `Double` on its way; members keep their order, of equal keys the
/// last counts, and `null` is the same as absent for those who ask by key. Not for the hot path.
package indirect enum RESTTree: Sendable, Equatable {
    case null
    case bool(Bool)
    case number(String)
    case text(String)
    case array([RESTTree])
    case object([Member])

    package struct Member: Sendable, Equatable {
        package let key: String
        package let value: RESTTree

        package init(_ key: String, _ value: RESTTree) {
            self.key = key
            self.value = value
        }
    }

    /// Reads a whole text; nil where it isn't JSON, is nested deeper than 32, or something stands behind it.
    package init?(_ body: UnsafeRawBufferPointer) {
        var reader = Reader(scan: GeneralScan(bytes: body, index: 0))
        guard let tree = reader.readWhole() else { return nil }
        self = tree
    }

    /// Reads a whole text.
    package init?(_ body: [UInt8]) {
        guard let tree = body.withUnsafeBytes({ RESTTree($0) }) else { return nil }
        self = tree
    }

    /// The member of an object that says something; nil for a missing key, for null, and where this is no object.
    package subscript(key: String) -> RESTTree? {
        guard case .object(let members) = self, let value = members.last(where: { $0.key == key })?.value else {
            return nil
        }
        return value == .null ? nil : value
    }

    package var string: String? {
        if case .text(let text) = self { text } else { nil }
    }

    package var array: [RESTTree]? {
        if case .array(let values) = self { values } else { nil }
    }

    package var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    package var isObject: Bool {
        if case .object = self { true } else { false }
    }

    /// Rows of an answer: the elements of `results`, or of the array that it is.
    package var rowCount: Int { array?.count ?? self["results"]?.array?.count ?? 0 }

    /// Walks the text and builds the tree.
    private struct Reader {
        var scan: GeneralScan

        mutating func readWhole() -> RESTTree? {
            scan.skipSpace()
            guard let tree = read(depth: 0) else { return nil }
            scan.skipSpace()
            return scan.index == scan.bytes.count ? tree : nil
        }

        private mutating func read(depth: Int) -> RESTTree? {
            guard depth <= GeneralScan.depthLimit else { return nil }
            switch scan.current {
            case UInt8(ascii: "{"): return readObject(depth: depth)
            case UInt8(ascii: "["): return readArray(depth: depth)
            default: return readScalar()
            }
        }

        private mutating func readScalar() -> RESTTree? {
            guard let value = scan.readValue(depth: 1) else { return nil }
            switch value.kind {
            case .absent: return .null
            case .other: return .bool(scan.bytes[value.start] == UInt8(ascii: "t"))
            case .number: return .number(String(decoding: scan.bytes[value.start..<value.end], as: UTF8.self))
            case .text, .escapedText: return .text(text(value))
            case .array: preconditionFailure("an array was read as a scalar")
            }
        }

        private func text(_ value: FieldValue) -> String {
            let raw = UnsafeRawBufferPointer(rebasing: scan.bytes[value.start..<value.end])
            guard value.kind == .escapedText else { return String(decoding: raw, as: UTF8.self) }
            var decoded: [UInt8] = []
            _ = JSONText.decode(raw, into: &decoded, limit: .max / 2)
            return String(decoding: decoded, as: UTF8.self)
        }

        private mutating func readObject(depth: Int) -> RESTTree? {
            scan.index += 1
            scan.skipSpace()
            if scan.pass(UInt8(ascii: "}")) { return .object([]) }
            var members: [Member] = []
            while true {
                scan.skipSpace()
                guard scan.current == UInt8(ascii: "\""), let key = scan.readValue(depth: 1) else { return nil }
                scan.skipSpace()
                guard scan.pass(UInt8(ascii: ":")) else { return nil }
                scan.skipSpace()
                guard let value = read(depth: depth + 1) else { return nil }
                members.append(Member(text(key), value))
                scan.skipSpace()
                if scan.pass(UInt8(ascii: "}")) { return .object(members) }
                guard scan.pass(UInt8(ascii: ",")) else { return nil }
            }
        }

        private mutating func readArray(depth: Int) -> RESTTree? {
            scan.index += 1
            scan.skipSpace()
            if scan.pass(UInt8(ascii: "]")) { return .array([]) }
            var values: [RESTTree] = []
            while true {
                scan.skipSpace()
                guard let value = read(depth: depth + 1) else { return nil }
                values.append(value)
                scan.skipSpace()
                if scan.pass(UInt8(ascii: "]")) { return .array(values) }
                guard scan.pass(UInt8(ascii: ",")) else { return nil }
            }
        }
    }
}

/// A field of a row that can't be used.
package struct FieldProblem: Error, Hashable, Sendable, CustomStringConvertible {
    package let key: String
    package let reason: MalformedReason

    package init(_ key: String, _ reason: MalformedReason) {
        self.key = key
        self.reason = reason
    }

    package var description: String { "\(key): \(reason)" }
}

/// Reads the fields of a row leniently: a number may come as a text, and `null` and `""` say no more than absence.
package struct RowReader {
    package let row: RESTTree

    package init(_ row: RESTTree) { self.row = row }

    /// Money that was paid or bid: exact to 10⁻⁶ or refused.
    package func price(_ key: String) throws(FieldProblem) -> Price? {
        try micros(key, .refused, 0...Int64.max).map { Price(micros: $0) }
    }

    /// A price that was computed (a VWAP, a bar of an index): rounded to 10⁻⁶, a half to the even neighbour.
    package func computed(_ key: String, mayBeNegative: Bool = false) throws(FieldProblem) -> Price? {
        try micros(key, .halfEven, (mayBeNegative ? Int64.min : 0)...Int64.max).map { Price(micros: $0) }
    }

    /// Shares or contracts.
    package func size(_ key: String) throws(FieldProblem) -> Size? {
        try micros(key, .refused, 0...Int64.max).map { Size(micros: $0) }
    }

    /// A statistic (a greek, an implied volatility): never compared, so a `Double`.
    package func statistic(_ key: String) throws(FieldProblem) -> Double? {
        guard let text = try numberText(key) else { return nil }
        guard let value = Double(text), value.isFinite else { throw FieldProblem(key, .range) }
        return value
    }

    package func integer(
        _ key: String,
        _ range: ClosedRange<Int64> = 0...Int64.max
    ) throws(FieldProblem) -> Int64? {
        try scaled(key, places: 0, .refused, range)
    }

    /// A time since the epoch in whichever unit its magnitude says (feeds.md 1.5).
    package func time(_ key: String) throws(FieldProblem) -> Instant? {
        guard let count = try integer(key, 1...Int64.max) else { return nil }
        guard let time = RESTTime.instant(count: count) else { throw FieldProblem(key, .range) }
        return time
    }

    /// A text that isn't empty.
    package func text(_ key: String) throws(FieldProblem) -> String? {
        guard let value = row[key] else { return nil }
        guard let text = value.string else { throw FieldProblem(key, .type) }
        return text.isEmpty ? nil : text
    }

    package func flag(_ key: String) throws(FieldProblem) -> Bool? {
        guard let value = row[key] else { return nil }
        guard let flag = value.bool else { throw FieldProblem(key, .type) }
        return flag
    }

    package func required<Value>(_ key: String, _ value: Value?) throws(FieldProblem) -> Value {
        guard let value else { throw FieldProblem(key, .missing) }
        return value
    }

    /// The object under `key`, a reader of nothing where it is absent.
    package func object(_ key: String) throws(FieldProblem) -> RowReader? {
        guard let value = row[key] else { return nil }
        guard value.isObject else { throw FieldProblem(key, .type) }
        return RowReader(value)
    }

    private func micros(
        _ key: String,
        _ rounding: DecimalToken.Rounding,
        _ range: ClosedRange<Int64>
    ) throws(FieldProblem) -> Int64? {
        try scaled(key, places: 6, rounding, range)
    }

    private func numberText(_ key: String) throws(FieldProblem) -> String? {
        switch row[key] {
        case nil: return nil
        case .number(let text): return text
        case .text(let text): return text.isEmpty ? nil : text
        default: throw FieldProblem(key, .type)
        }
    }

    private func scaled(
        _ key: String,
        places: Int,
        _ rounding: DecimalToken.Rounding,
        _ range: ClosedRange<Int64>
    ) throws(FieldProblem) -> Int64? {
        guard var text = try numberText(key) else { return nil }
        guard let token = text.withUTF8({ DecimalToken(UnsafeRawBufferPointer($0)) }) else {
            throw FieldProblem(key, .type)
        }
        switch token.scaled(places: places, rounding: rounding) {
        case .failure(let failure): throw FieldProblem(key, failure.reason)
        case .success(let value):
            guard range.contains(value) else { throw FieldProblem(key, .range) }
            return value
        }
    }
}
