internal import MarketData
internal import Primitives

/// Makes market events of an object's fields: what each channel needs, and what makes it malformed.
///
/// Only what an event holds is looked at, so that a new form of a greek doesn't cost a trade.
extension FieldReader<UnusualWhalesField> {
    /// An acknowledgement, which comes on the data channel: a status with a response beside it.
    var isAcknowledgement: Bool {
        fields[.status].kind == .text && (fields[.response].kind != .absent || fields.isNull(.response))
    }

    /// An option print; the symbol is interned last, so that a malformed one leaves no trace.
    func tradeEvent(_ symbols: inout SymbolTable) throws(MalformedReason) -> MarketEvent {
        let price = try required(micros(.price))
        guard price > 0 else { throw .range }
        var trade = Trade(
            symbol: SymbolID(index: 0),
            exchange: UnusualWhalesCodes.venue(try bytes(.exchange, limit: 8) ?? []),
            time: try required(time(.executedAt)),
            price: Price(micros: price),
            size: Size(micros: try required(micros(.size))),
            conditions: try conditions(),
            idHash: try hash(.id)
        )
        trade.symbol = try symbol(.optionSymbol, prefix: "O:", &symbols)
        return .trade(trade)
    }

    /// The code of the print and what its report was flagged with.
    private func conditions() throws(MalformedReason) -> Conditions {
        var conditions = Conditions()
        for flag in try texts(.reportFlags) {
            guard conditions.insert(UnusualWhalesCodes.condition(reportFlag: flag)) else { throw .conditions }
        }
        if let code = try bytes(.tradeCode, limit: 16) {
            guard conditions.insert(UnusualWhalesCodes.condition(code)) else { throw .conditions }
        }
        return conditions
    }

    func alertEvent(_ symbols: inout SymbolTable) throws(MalformedReason) -> MarketEvent {
        let parts = try alertParts()
        let underlying = try price(.underlyingPrice) ?? .zero
        var alert = FlowAlert(
            symbol: SymbolID(index: 0),
            time: parts.time,
            start: try time(.startTime),
            idHash: try hash(.id),
            price: parts.price,
            bid: try price(.bid) ?? .zero,
            ask: try price(.ask) ?? .zero,
            underlyingPrice: underlying,
            size: try count(.totalSize, isRequired: true),
            volume: try count(.volume),
            openInterest: try count(.openInterest),
            totalPremium: parts.total,
            askPremium: parts.ask,
            bidPremium: parts.bid,
            flags: try alertFlags()
        )
        alert.symbol = try symbol(.optionChain, prefix: "O:", &symbols)
        return .flowAlert(alert)
    }

    /// What an alert can't do without: without both sides' premium its direction can't be told.
    func alertParts() throws(MalformedReason) -> (time: Instant, price: Price, total: Int64, ask: Int64, bid: Int64) {
        let time = try time(first(.executedAt, .endTime, .createdAt, .startTime) ?? .executedAt)
        return (
            try required(time), try required(price(.price)), try required(micros(.totalPremium, .halfEven)),
            try required(micros(.totalAskSidePrem, .halfEven)), try required(micros(.totalBidSidePrem, .halfEven))
        )
    }

    /// A price that is a mean or a smoothed one: rounded to a millionth, and within what an alert can hold.
    func price(_ key: UnusualWhalesField) throws(MalformedReason) -> Price? {
        guard let micros = try micros(key, .halfEven) else { return nil }
        guard micros <= FlowAlert.priceMax.micros else { throw .range }
        return Price(micros: micros)
    }

    private func count(_ key: UnusualWhalesField, isRequired: Bool = false) throws(MalformedReason) -> UInt32 {
        let count = try integer(key, 0...Int64(FlowAlert.countMax))
        return UInt32(isRequired ? try required(count) : count ?? 0)
    }

    func alertFlags() throws(MalformedReason) -> FlowAlert.Flags {
        var flags: FlowAlert.Flags = []
        if try bool(.hasSweep) == true { flags.insert(.sweep) }
        if try bool(.hasFloor) == true { flags.insert(.floor) }
        if try bool(.hasMultileg) == true { flags.insert(.multiLeg) }
        if try bool(.hasSingleleg) == true { flags.insert(.singleLeg) }
        if try bool(.allOpeningTrades) == true { flags.insert(.allOpening) }
        return flags
    }

    /// A halt; `received` stands in where the frame has no time, since the channel's payload isn't documented.
    func haltEvent(_ received: Instant?, _ symbols: inout SymbolTable) throws(MalformedReason) -> MarketEvent {
        let halt = try halt()
        guard let time = halt.time ?? received else { throw .missing }
        let id = try symbol(first(.symbol, .ticker) ?? .symbol, &symbols)
        let reason = Halt.pack((halt.reason ?? "").utf8)
        return .halt(Halt(symbol: id, isHalted: halt.isHalted, time: time, reason: reason))
    }

    func halt() throws(MalformedReason) -> UWHalt {
        let state = try required(text(.state, limit: 64))
        guard let isHalted = UnusualWhalesCodes.isHalted(state) else { throw .range }
        return UWHalt(
            symbol: try required(text(first(.symbol, .ticker) ?? .symbol, limit: 32)),
            state: state,
            isHalted: isHalted,
            reason: try text(.reason, limit: 64),
            time: try first(.haltedAt, .haltTime, .timestamp, .time, .executedAt, .createdAt).map(time) ?? nil
        )
    }
}
