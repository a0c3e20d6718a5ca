internal import Primitives

extension BridgeReader {
    /// Makes the element of an object.
    mutating func element(
        _ kind: BridgeKind,
        _ reader: FieldReader<BridgeField>
    ) throws(MalformedReason) -> BridgeElement {
        switch kind {
        case .hello: .notice(.hello(try reader.hello()))
        case .acknowledged: .notice(.acknowledged(id: try reader.words(.id), keys: try reader.keysOfObject(.ok)))
        case .refused: .notice(try reader.refusal())
        case .status: .notice(try reader.status())
        case .error: .notice(try reader.error())
        case .heartbeat: .notice(.heartbeat(try reader.state(), dropped: try reader.integer(.dropped) ?? 0))
        case .gap: .notice(.gap(keys: try reader.texts(.ks)))
        case .pong: .notice(.pong(id: try reader.words(.id)))
        case .snapshot:
            .snapshot(key: try key(reader), try reader.change(isSnapshot: true), time: try reader.bridgeTime())
        case .quote:
            .change(key: try key(reader), try reader.change(isSnapshot: false), time: try reader.bridgeTime())
        case .trade: try trade(reader)
        case .bar: .bar(key: try key(reader), try reader.bar())
        case .depth: .depth(key: try key(reader), try reader.depthChange())
        case .book: .book(key: try key(reader), BridgeBook(bids: try reader.rows(.b), asks: try reader.rows(.a)))
        case .none: preconditionFailure("an element of no kind")
        }
    }

    /// Beyond this a second has no nanoseconds in 64 bits (the year 2255).
    static let secondsMax: Int64 = 9_000_000_000

    private mutating func trade(_ reader: FieldReader<BridgeField>) throws(MalformedReason) -> BridgeElement {
        let price = try reader.required(reader.micros(.p, .halfEven, atLeast: -Int64.max))
        let seconds = try reader.integer(.ti) ?? 0
        guard seconds <= Self.secondsMax else { throw .range }
        return .trade(
            key: try key(reader),
            price: Price(micros: price),
            size: try reader.micros(.s).map { Size(micros: $0) },
            time: seconds == 0 ? try reader.bridgeTime() : Instant(millis: seconds * 1_000)
        )
    }
}

extension FieldReader<BridgeField> {
    /// The bridge's clock, microseconds whatever their magnitude.
    func bridgeTime() throws(MalformedReason) -> Instant {
        let micros = try required(integer(.tb, 1...(Int64.max / 1_000)))
        return Instant(nanos: micros * 1_000)
    }

    func words(_ key: BridgeField, limit: Int = 128) throws(MalformedReason) -> String {
        try text(key, limit: limit) ?? ""
    }

    func state() throws(MalformedReason) -> BridgeState? {
        guard let word = try text(.ib, limit: 16) else { return nil }
        guard let state = BridgeState(rawValue: word) else { throw .range }
        return state
    }

    func hello() throws(MalformedReason) -> BridgeHello {
        var hello = BridgeHello(
            version: try required(integer(.v)),
            epoch: try required(text(.epoch, limit: 64)),
            state: try state() ?? .down,
            heartbeat: try (integer(.hbMs, 1...60_000) ?? 1_000) * 1_000_000
        )
        let limits = fields[.limits]
        guard limits.kind == .other else { return hello }
        var scan = GeneralScan(bytes: bytes, index: limits.start)
        var inner = NamedFields<BridgeField>()
        guard inner.read(&scan) else { throw .type }
        let reader = FieldReader(bytes: bytes, fields: inner)
        hello.lines = try reader.integer(.lines, 0...100_000).map { Int($0) }
        hello.books = try reader.integer(.depth, 0...1_000).map { Int($0) }
        return hello
    }

    func refusal() throws(MalformedReason) -> BridgeNotice {
        .refused(
            id: try words(.id),
            key: try required(text(.k, limit: BridgeKey.limit)),
            code: try integer(.code, Int64.min...Int64.max) ?? 0,
            reason: try words(.reason)
        )
    }

    func status() throws(MalformedReason) -> BridgeNotice {
        let farm = try words(.farm, limit: 32)
        let message = try words(.msg)
        return .status(
            try required(state()),
            code: try integer(.code, Int64.min...Int64.max) ?? 0,
            words: [message, farm].filter { !$0.isEmpty }.joined(separator: ", "),
            staleKeys: try texts(.staleKs)
        )
    }

    func error() throws(MalformedReason) -> BridgeNotice {
        .error(
            code: try required(integer(.code, Int64.min...Int64.max)),
            message: try words(.msg),
            key: try text(.k, limit: BridgeKey.limit)
        )
    }

    /// The keys of the object under a key: an acknowledgement's instruments.
    func keysOfObject(_ key: BridgeField) throws(MalformedReason) -> [String] {
        if isAbsent(key) { return [] }
        guard fields[key].kind == .other, bytes[fields[key].start] == UInt8(ascii: "{") else { throw .type }
        var names: [String] = []
        var scan = GeneralScan(bytes: bytes, index: fields[key].start + 1)
        scan.skipSpace()
        if scan.pass(UInt8(ascii: "}")) { return names }
        while true {
            scan.skipSpace()
            guard let name = scan.readText() else { throw .syntax }
            names.append(String(decoding: decoded(name, limit: BridgeKey.limit), as: UTF8.self))
            scan.skipSpace()
            scan.index += 1
            scan.skipSpace()
            guard scan.readValue(depth: 2) != nil else { throw .syntax }
            scan.skipSpace()
            if scan.pass(UInt8(ascii: "}")) { return names }
            scan.index += 1
        }
    }

    // MARK: Market data

    /// A number, null for an empty side, −1 for none.
    private func side(_ key: BridgeField, isSnapshot: Bool) throws(MalformedReason) -> BridgeChange.Field {
        if fields.isNull(key) { return .empty }
        guard let micros = try micros(key, .halfEven, atLeast: -Int64.max) else {
            // A snapshot has all that there is.
            return isSnapshot ? .empty : .absent
        }
        return .value(micros)
    }

    func change(isSnapshot: Bool) throws(MalformedReason) -> BridgeChange {
        var change = BridgeChange(
            bid: try side(.b, isSnapshot: isSnapshot),
            ask: try side(.a, isSnapshot: isSnapshot),
            bidSize: try side(.bs, isSnapshot: false),
            askSize: try side(.as, isSnapshot: false),
            last: try side(.l, isSnapshot: false),
            dataType: try integer(.mdt, 0...16),
            halt: try integer(.hlt, -1...16)
        )
        if isSnapshot { change.age = try (integer(.ageMs, 0...86_400_000) ?? 0) * 1_000_000 }
        return change
    }

    func bar() throws(MalformedReason) -> BridgeBar {
        func price(_ key: BridgeField) throws(MalformedReason) -> Price {
            let micros = try required(micros(key, .halfEven))
            guard micros > 0 else { throw .range }
            return Price(micros: micros)
        }
        // −1 where there is none, as for an index.
        let volume = try micros(.v, .halfEven, atLeast: -Int64.max) ?? 0
        let vwap = try micros(.vw, .halfEven, atLeast: -Int64.max) ?? 0
        let what = try text(.what, limit: 16)
        return BridgeBar(
            start: Instant(millis: try required(integer(.t0, 1...BridgeReader.secondsMax)) * 1_000),
            open: try price(.o),
            high: try price(.h),
            low: try price(.lo),
            close: try price(.c),
            volume: Size(micros: max(0, volume)),
            vwap: Price(micros: max(0, vwap)),
            isOfTrades: what == nil || what == "TRADES"
        )
    }

    func depthChange() throws(MalformedReason) -> BridgeDepthChange {
        let operation: BridgeDepthChange.Operation =
            switch try required(text(.op, limit: 4)) {
            case "i": .insert
            case "u": .update
            case "d": .delete
            default: throw .range
            }
        let side = try required(text(.sd, limit: 4))
        guard side == "b" || side == "a" else { throw .range }
        let price = try micros(.p, .halfEven, atLeast: -Int64.max)
        let size = try micros(.s, .halfEven, atLeast: -Int64.max)
        let isDelete = operation == .delete
        return BridgeDepthChange(
            operation: operation,
            isBid: side == "b",
            position: Int(try required(integer(.pos, 0...1_000))),
            row: BridgeBook.Row(
                price: Price(micros: isDelete ? price ?? 0 : try required(price)),
                size: Size(micros: max(0, isDelete ? size ?? 0 : try required(size))),
                maker: try words(.mm, limit: 16)
            )
        )
    }

    /// Rows as `[[price,size,maker]…]`.
    func rows(_ key: BridgeField) throws(MalformedReason) -> [BridgeBook.Row] {
        if isAbsent(key) { return [] }
        guard fields[key].kind == .array else { throw .type }
        var rows: [BridgeBook.Row] = []
        var scan = GeneralScan(bytes: bytes, index: fields[key].start + 1)
        scan.skipSpace()
        if scan.pass(UInt8(ascii: "]")) { return rows }
        while true {
            scan.skipSpace()
            guard scan.pass(UInt8(ascii: "[")) else { throw .type }
            rows.append(try row(&scan))
            scan.skipSpace()
            if scan.pass(UInt8(ascii: "]")) { return rows }
            scan.index += 1
        }
    }

    /// Reads behind a row's opening bracket; the place is behind its closing one after.
    private func row(_ scan: inout GeneralScan) throws(MalformedReason) -> BridgeBook.Row {
        var values: [FieldValue] = []
        scan.skipSpace()
        while !scan.pass(UInt8(ascii: "]")) {
            guard values.count < 16, let value = scan.readValue(depth: 3) else { throw .range }
            values.append(value)
            scan.skipSpace()
            if scan.pass(UInt8(ascii: ",")) { scan.skipSpace() }
        }
        func micros(_ index: Int) throws(MalformedReason) -> Int64 {
            guard index < values.count else { throw .missing }
            guard let token = DecimalToken(raw(values[index])) else { throw .type }
            switch token.scaled(places: 6, rounding: .halfEven) {
            case .success(let value): return value
            case .failure(let failure): throw failure.reason
            }
        }
        var maker = ""
        if values.count > 2, values[2].kind == .text || values[2].kind == .escapedText {
            maker = String(decoding: decoded(values[2], limit: 16), as: UTF8.self)
        }
        return BridgeBook.Row(
            price: Price(micros: try micros(0)),
            size: Size(micros: max(0, try micros(1))),
            maker: maker
        )
    }
}
