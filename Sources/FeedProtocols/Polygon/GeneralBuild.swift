internal import MarketData
internal import Primitives

/// Makes an event of an object's fields: the one place that says what each channel needs and what makes it malformed.
///
/// feeds.md 1.5 has the fields. An absent field and `null` are the same; a number may come as a text.
struct GeneralBuild {
    let bytes: UnsafeRawBufferPointer
    let fields: FieldTable

    /// What decides a number's fate that doesn't fit its scale: money that was paid is exact or not at all.
    private static let exact = DecimalToken.Rounding.refused

    /// Makes the event of a kind; interns the symbol last, so that malformed events leave no trace in the table.
    func event(_ kind: EventKind, symbols: inout SymbolTable) throws(MalformedReason) -> MarketEvent {
        switch kind {
        case .trade: try trade(&symbols)
        case .quote: try quote(&symbols)
        case .secondBar: try bar(seconds: 1, &symbols)
        case .minuteBar: try bar(seconds: 60, &symbols)
        case .priceBands: try priceBands(&symbols)
        case .imbalance: try imbalance(&symbols)
        case .indexValue: .indexValue(try value(of: .val, symbolIn: .T, &symbols))
        case .fairValue: .fairValue(try value(of: .fmv, symbolIn: .sym, &symbols))
        case .status, .none: preconditionFailure("no market event is made of a \(kind)")
        }
    }

    private func trade(_ symbols: inout SymbolTable) throws(MalformedReason) -> MarketEvent {
        let price = try required(micros(.p))
        guard price > 0 else { throw .range }
        // Both are looked at, so that a bad one doesn't hide behind a good one.
        let size = try micros(.s)
        let exactSize = try micros(.ds)
        var trade = Trade(
            symbol: SymbolID(index: 0),
            exchange: try small(.x),
            tape: try small(.z),
            facility: try small(.trfi),
            time: try time(.t),
            sequence: try integer(.q, 0...Int64.max) ?? 0,
            price: Price(micros: price),
            size: Size(micros: try required(exactSize ?? size)),
            conditions: try conditions(.c),
            idHash: try textHash(.i)
        )
        trade.symbol = try symbol(.sym, &symbols)
        return .trade(trade)
    }

    private func quote(_ symbols: inout SymbolTable) throws(MalformedReason) -> MarketEvent {
        let bid = try micros(.bp) ?? 0
        let ask = try micros(.ap) ?? 0
        let bidSize = try micros(.bs) ?? 0
        let askSize = try micros(.as) ?? 0
        var quote = Quote(
            symbol: SymbolID(index: 0),
            bidExchange: try small(.bx),
            askExchange: try small(.ax),
            time: try time(.t),
            sequence: try integer(.q, 0...Int64.max) ?? 0,
            bid: Price(micros: bid),
            ask: Price(micros: ask),
            bidSize: Size(micros: bid == 0 ? 0 : bidSize),
            askSize: Size(micros: ask == 0 ? 0 : askSize),
            condition: try small(.c),
            tape: try small(.z)
        )
        quote.symbol = try symbol(.sym, &symbols)
        return .quote(quote)
    }

    private func bar(seconds: UInt16, _ symbols: inout SymbolTable) throws(MalformedReason) -> MarketEvent {
        let volume = try micros(.v)
        let exactVolume = try micros(.dv)
        let dayVolume = try micros(.av)
        let exactDayVolume = try micros(.dav)
        var bar = Bar(
            symbol: SymbolID(index: 0),
            seconds: seconds,
            start: try time(.s),
            // An index's bar samples a computed value, so these are rounded as that is.
            open: try positivePrice(.o),
            high: try positivePrice(.h),
            low: try positivePrice(.l),
            close: try positivePrice(.c),
            volume: Size(micros: exactVolume ?? volume ?? 0),
            vwap: Price(micros: try micros(.vw, .halfEven) ?? 0),
            dayVolume: Size(micros: exactDayVolume ?? dayVolume ?? 0)
        )
        bar.symbol = try symbol(.sym, &symbols)
        return .bar(bar)
    }

    private func priceBands(_ symbols: inout SymbolTable) throws(MalformedReason) -> MarketEvent {
        var bands = PriceBands(
            symbol: SymbolID(index: 0),
            tape: try small(.z),
            time: try time(.t),
            sequence: try integer(.q, 0...Int64.max) ?? 0,
            upper: Price(micros: try required(micros(.h))),
            lower: Price(micros: try required(micros(.l))),
            indicators: try conditions(.i)
        )
        bands.symbol = try symbol(.T, &symbols)
        return .priceBands(bands)
    }

    private func imbalance(_ symbols: inout SymbolTable) throws(MalformedReason) -> MarketEvent {
        var auction: UInt8 = 0
        if let letters = try text(.a, limit: 8) {
            guard letters.count == 1, letters[0] < 0x80 else { throw .range }
            auction = letters[0]
        }
        var imbalance = Imbalance(
            symbol: SymbolID(index: 0),
            exchange: try small(.x),
            auction: auction,
            auctionTime: try small(.at),
            time: try time(.t),
            sequence: try integer(.i, 0...Int64.max) ?? 0,
            // The one quantity that may be negative: the sign would be the side.
            imbalance: Size(micros: try micros(.o, atLeast: .min) ?? 0),
            paired: Size(micros: try micros(.p) ?? 0),
            clearingPrice: Price(micros: try micros(.b) ?? 0)
        )
        imbalance.symbol = try symbol(.T, &symbols)
        return .imbalance(imbalance)
    }

    private func value(
        of key: FieldKey,
        symbolIn symbolKey: FieldKey,
        _ symbols: inout SymbolTable
    ) throws(MalformedReason) -> PublishedValue {
        let value = try required(micros(key, .halfEven, atLeast: .min))
        let time = try time(.t)
        return PublishedValue(symbol: try symbol(symbolKey, &symbols), time: time, value: Price(micros: value))
    }

    // MARK: Fields

    private func required<Value>(_ value: Value?) throws(MalformedReason) -> Value {
        guard let value else { throw .missing }
        return value
    }

    private func positivePrice(_ key: FieldKey) throws(MalformedReason) -> Price {
        let value = try required(micros(key, .halfEven))
        guard value > 0 else { throw .range }
        return Price(micros: value)
    }

    private func micros(
        _ key: FieldKey,
        _ rounding: DecimalToken.Rounding = exact,
        atLeast minimum: Int64 = 0
    ) throws(MalformedReason) -> Int64? {
        guard let token = try token(key) else { return nil }
        return try Self.value(token.scaled(places: 6, rounding: rounding), minimum...Int64.max)
    }

    private func integer(_ key: FieldKey, _ range: ClosedRange<Int64>) throws(MalformedReason) -> Int64? {
        guard let token = try token(key) else { return nil }
        return try Self.value(token.scaled(places: 0, rounding: .refused), range)
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

    /// An id that fits its field; 0 where absent.
    private func small<Number: FixedWidthInteger & UnsignedInteger>(
        _ key: FieldKey
    ) throws(MalformedReason) -> Number {
        Number(try integer(key, 0...Int64(Number.max)) ?? 0)
    }

    /// A time in whichever unit its magnitude says (feeds.md 1.5).
    private func time(_ key: FieldKey) throws(MalformedReason) -> Instant {
        let count = try required(integer(key, 1...Int64.max))
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

    private func raw(_ value: FieldValue) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[value.start..<value.end])
    }

    private func token(_ key: FieldKey) throws(MalformedReason) -> DecimalToken? {
        let value = fields[key]
        let token: DecimalToken?
        switch value.kind {
        case .absent: return nil
        case .number, .text: token = DecimalToken(raw(value))
        case .escapedText:
            // No number that can be kept is longer, whatever its form.
            var decoded: [UInt8] = []
            guard JSONText.decode(raw(value), into: &decoded, limit: 64) else { throw .type }
            token = decoded.withUnsafeBytes { DecimalToken($0) }
        case .array, .other: throw .type
        }
        guard let token else { throw .type }
        return token
    }

    /// A text's bytes, cut to `limit`; nil where it is absent.
    func text(_ key: FieldKey, limit: Int) throws(MalformedReason) -> [UInt8]? {
        let value = fields[key]
        var decoded: [UInt8] = []
        switch value.kind {
        case .absent: return nil
        case .text, .escapedText: _ = JSONText.decode(raw(value), into: &decoded, limit: limit)
        case .number, .array, .other: throw .type
        }
        return decoded
    }

    private func symbol(_ key: FieldKey, _ symbols: inout SymbolTable) throws(MalformedReason) -> SymbolID {
        let value = fields[key]
        let packed: SymbolText?
        switch value.kind {
        case .absent: throw .missing
        case .text: packed = SymbolText(raw(value))
        case .escapedText: packed = try text(key, limit: SymbolText.limit + 1)?.withUnsafeBytes { SymbolText($0) }
        case .number, .array, .other: throw .type
        }
        guard let packed else { throw .symbol }
        let refused = symbols.refusedCount
        guard let id = symbols.intern(packed) else {
            throw symbols.refusedCount == refused ? .symbol : .symbolLimit
        }
        return id
    }

    /// FNV-1a of a trade id's text, 0 where there is none; an id that came as a number is its digits.
    private func textHash(_ key: FieldKey) throws(MalformedReason) -> UInt64 {
        let value = fields[key]
        switch value.kind {
        case .absent: return 0
        case .number, .text: return raw(value).reduce(FNV.offset) { FNV.mixed($0, $1) }
        case .escapedText:
            var decoded: [UInt8] = []
            _ = JSONText.decode(raw(value), into: &decoded, limit: .max / 2)
            return decoded.reduce(FNV.offset) { FNV.mixed($0, $1) }
        case .array, .other: throw .type
        }
    }

    private func conditions(_ key: FieldKey) throws(MalformedReason) -> Conditions {
        var conditions = Conditions()
        let value = fields[key]
        switch value.kind {
        case .absent: return conditions
        case .array: break
        case .number, .text, .escapedText, .other: throw .type
        }
        var scan = GeneralScan(bytes: bytes, index: value.start + 1)
        scan.skipSpace()
        if scan.pass(UInt8(ascii: "]")) { return conditions }
        while true {
            scan.skipSpace()
            guard let element = scan.readValue(depth: 2), element.kind == .number,
                let token = DecimalToken(raw(element))
            else { throw .type }
            let id = try Self.value(token.scaled(places: 0, rounding: .refused), Int64.min...Int64.max)
            guard conditions.insert(id) else { throw .conditions }
            scan.skipSpace()
            if scan.pass(UInt8(ascii: "]")) { return conditions }
            scan.index += 1
        }
    }
}

extension GeneralBuild {
    /// Makes the control message of a status object.
    func status() throws(MalformedReason) -> ProviderStatus {
        let status = try text(.status, limit: ProviderStatus.statusLimit) ?? []
        let message = try text(.message, limit: ProviderStatus.messageLimit) ?? []
        return ProviderStatus(
            status: String(decoding: status, as: UTF8.self),
            message: String(decoding: message, as: UTF8.self)
        )
    }
}
