internal import MarketData
internal import Primitives

/// Reads the fields of one object leniently: a number may be a text, `""` and `null` are absence.
///
/// What has another type, or lies outside its range, throws; nothing traps.
struct FieldReader<Key: FieldName> {
    let bytes: UnsafeRawBufferPointer
    let fields: NamedFields<Key>

    func raw(_ value: FieldValue) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[value.start..<value.end])
    }

    func required<Value>(_ value: Value?) throws(MalformedReason) -> Value {
        guard let value else { throw .missing }
        return value
    }

    /// The first of several keys that has a value: providers don't agree with themselves about names.
    func first(_ keys: Key...) -> Key? { keys.first { !isAbsent($0) } }

    /// Whether there is no value, or an empty text.
    func isAbsent(_ key: Key) -> Bool {
        let value = fields[key]
        return value.kind == .absent || value.kind == .text && value.start == value.end
    }

    // MARK: Numbers

    func token(_ key: Key) throws(MalformedReason) -> DecimalToken? {
        if isAbsent(key) { return nil }
        let value = fields[key]
        let token: DecimalToken?
        switch value.kind {
        case .number, .text: token = DecimalToken(raw(value))
        case .escapedText:
            var decoded: [UInt8] = []
            guard JSONText.decode(raw(value), into: &decoded, limit: 64) else { throw .type }
            token = decoded.withUnsafeBytes { DecimalToken($0) }
        case .absent, .array, .other: throw .type
        }
        guard let token else { throw .type }
        return token
    }

    /// Millionths; what was paid is exact or refused, what was computed is rounded.
    func micros(
        _ key: Key,
        _ rounding: DecimalToken.Rounding = .refused,
        atLeast minimum: Int64 = 0
    ) throws(MalformedReason) -> Int64? {
        guard let token = try token(key) else { return nil }
        return try Self.value(token.scaled(places: 6, rounding: rounding), minimum...Int64.max)
    }

    func integer(_ key: Key, _ range: ClosedRange<Int64> = 0...Int64.max) throws(MalformedReason) -> Int64? {
        guard let token = try token(key) else { return nil }
        return try Self.value(token.scaled(places: 0, rounding: .refused), range)
    }

    func decimal(_ key: Key) throws(MalformedReason) -> ExactDecimal? {
        try token(key).map { ExactDecimal($0) }
    }

    private static func value(
        _ scaled: Result<Int64, MalformedValue>,
        _ range: ClosedRange<Int64>
    ) throws(MalformedReason) -> Int64 {
        switch scaled {
        case .failure(let failure): throw failure.reason
        case .success(let value):
            guard range.contains(value) else { throw .range }
            return value
        }
    }

    /// `true`, `false`, the same as texts, 1 or 0.
    func bool(_ key: Key) throws(MalformedReason) -> Bool? {
        if isAbsent(key) { return nil }
        let value = fields[key]
        switch value.kind {
        case .other, .text, .escapedText:
            let word = decoded(value, limit: 8)
            if word.elementsEqual("true".utf8) { return true }
            if word.elementsEqual("false".utf8) { return false }
        case .absent, .number, .array: break
        }
        return try integer(key, 0...1) == 1
    }

    // MARK: Times

    /// A count in the unit that its magnitude says (feeds.md 1.5), or an ISO 8601 text.
    func time(_ key: Key) throws(MalformedReason) -> Instant? {
        if isAbsent(key) { return nil }
        let value = fields[key]
        if value.kind == .text || value.kind == .escapedText {
            let text = decoded(value, limit: 64)
            if let instant = text.withUnsafeBytes({ ISOTime.instant($0) }) { return instant }
        }
        guard let count = try integer(key, 1...Int64.max) else { return nil }
        let scale: Int64 =
            switch count {
            case 100_000_000_000_000_000...: 1
            case 100_000_000_000_000...: 1_000
            case 100_000_000_000...: 1_000_000
            default: 1_000_000_000
            }
        let (nanos, isOver) = count.multipliedReportingOverflow(by: scale)
        guard !isOver else { throw .range }
        return Instant(nanos: nanos)
    }

    /// A date, `2025-12-19`.
    func date(_ key: Key) throws(MalformedReason) -> CivilDate? {
        if isAbsent(key) { return nil }
        guard let text = try bytes(key, limit: 64), let date = text.withUnsafeBytes({ ISOTime.date($0) }) else {
            throw .type
        }
        return date
    }

    // MARK: Texts

    /// A text's bytes, cut to `limit`.
    func bytes(_ key: Key, limit: Int) throws(MalformedReason) -> [UInt8]? {
        if isAbsent(key) { return nil }
        guard fields[key].kind == .text || fields[key].kind == .escapedText else { throw .type }
        return decoded(fields[key], limit: limit)
    }

    func decoded(_ value: FieldValue, limit: Int) -> [UInt8] {
        var decoded: [UInt8] = []
        _ = JSONText.decode(raw(value), into: &decoded, limit: limit)
        return decoded
    }

    /// A text, cut to `limit` bytes.
    func text(_ key: Key, limit: Int = 256) throws(MalformedReason) -> String? {
        guard let bytes = try bytes(key, limit: limit) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// FNV-1a of a text, or of a number's digits; 0 where there is none.
    func hash(_ key: Key) throws(MalformedReason) -> UInt64 {
        if isAbsent(key) { return 0 }
        let value = fields[key]
        switch value.kind {
        case .number, .text: return raw(value).reduce(FNV.offset) { FNV.mixed($0, $1) }
        case .escapedText: return decoded(value, limit: .max / 2).reduce(FNV.offset) { FNV.mixed($0, $1) }
        case .absent, .array, .other: throw .type
        }
    }

    /// The texts of an array, `limit` bytes each; elements of other types are passed over.
    func texts(_ key: Key, limit: Int = 64) throws(MalformedReason) -> [String] {
        if isAbsent(key) { return [] }
        guard fields[key].kind == .array else { throw .type }
        var texts: [String] = []
        var scan = GeneralScan(bytes: bytes, index: fields[key].start + 1)
        scan.skipSpace()
        if scan.pass(UInt8(ascii: "]")) { return texts }
        while true {
            scan.skipSpace()
            guard let element = scan.readValue(depth: 2) else { throw .syntax }
            if element.kind == .text || element.kind == .escapedText {
                texts.append(String(decoding: decoded(element, limit: limit), as: UTF8.self))
            }
            scan.skipSpace()
            if scan.pass(UInt8(ascii: "]")) { return texts }
            scan.index += 1
        }
    }

    // MARK: Symbols

    /// Interns a symbol; `prefix` is put before it unless it is there.
    func symbol(
        _ key: Key,
        prefix: StaticString = "",
        _ symbols: inout SymbolTable
    ) throws(MalformedReason) -> SymbolID {
        guard var text = try bytes(key, limit: SymbolText.limit + 1) else { throw .missing }
        prefix.withUTF8Buffer { prefix in
            if !text.starts(with: prefix) { text.insert(contentsOf: prefix, at: 0) }
        }
        guard let packed = text.withUnsafeBytes({ SymbolText($0) }) else { throw .symbol }
        let refused = symbols.refusedCount
        guard let id = symbols.intern(packed) else {
            throw symbols.refusedCount == refused ? .symbol : .symbolLimit
        }
        return id
    }
}
