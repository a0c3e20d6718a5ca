internal import MarketData
internal import Primitives

extension FieldReader<UnusualWhalesField> {
    /// What the object says, in full; nil for a channel whose payload isn't known.
    ///
    /// `hint` is the channel's own ticker, for payloads that name none.
    func record(
        _ kind: UnusualWhalesChannelKind,
        hint: String?
    ) throws(MalformedReason) -> UnusualWhalesRecord? {
        switch kind {
        case .optionTrades: .optionTrade(try optionTrade())
        case .flowAlerts: .flowAlert(try flowAlert())
        case .price: .price(try price(hint: hint))
        case .news: .news(try news())
        case .gex: .exposure(try exposure(hint: hint))
        case .gexStrike: .strikeExposure(try strikeExposure(hint: hint, needsExpiry: false))
        case .gexStrikeExpiry: .strikeExposure(try strikeExposure(hint: hint, needsExpiry: true))
        case .litTrades: .equityPrint(try equityPrint(isOffExchange: false, hint: hint))
        case .offLitTrades: .equityPrint(try equityPrint(isOffExchange: true, hint: hint))
        case .tradingHalts: .halt(try halt())
        case .marketTide, .netFlow, .intervalFlow, .customAlerts, .contractScreener, .periscope: nil
        }
    }

    private func optionTrade() throws(MalformedReason) -> UWOptionTrade {
        let price = try required(micros(.price))
        guard price > 0 else { throw .range }
        return UWOptionTrade(
            id: try text(.id),
            underlying: optional { () throws(MalformedReason) in try text(.underlyingSymbol) },
            contract: try contract(.optionSymbol),
            executedAt: try required(time(.executedAt)),
            createdAt: optional { () throws(MalformedReason) in try time(.createdAt) },
            price: Price(micros: price),
            size: Size(micros: try required(micros(.size))),
            premium: lenient(.premium),
            bid: lenient(.nbboBid),
            ask: lenient(.nbboAsk),
            smoothedBid: lenient(.ewmaNbboBid),
            smoothedAsk: lenient(.ewmaNbboAsk),
            underlyingPrice: lenient(.underlyingPrice),
            strike: lenient(.strike),
            theoretical: lenient(.theo),
            expiry: optional { () throws(MalformedReason) in try date(.expiry) },
            isCall: right(),
            impliedVolatility: lenient(.impliedVolatility),
            delta: lenient(.delta),
            gamma: lenient(.gamma),
            theta: lenient(.theta),
            vega: lenient(.vega),
            rho: lenient(.rho),
            openInterest: count(.openInterest),
            totals: volumes(),
            tags: optional { () throws(MalformedReason) in try texts(.tags) } ?? [],
            reportFlags: try texts(.reportFlags),
            tradeCode: try text(.tradeCode, limit: 16),
            exchange: try text(.exchange, limit: 8)
        )
    }

    private func flowAlert() throws(MalformedReason) -> UWFlowAlert {
        let parts = try alertParts()
        return UWFlowAlert(
            id: try text(.id),
            rule: optional { () throws(MalformedReason) in try text(first(.ruleName, .alertRule) ?? .ruleName) },
            ticker: optional { () throws(MalformedReason) in try text(.ticker) },
            contract: try contract(.optionChain),
            executedAt: parts.time,
            startedAt: try time(.startTime),
            endedAt: optional { () throws(MalformedReason) in try time(.endTime) },
            price: parts.price,
            bid: try price(.bid),
            ask: try price(.ask),
            underlyingPrice: try price(.underlyingPrice),
            size: try required(integer(.totalSize, 0...Int64(FlowAlert.countMax))),
            totalPremium: Price(micros: parts.total),
            askPremium: Price(micros: parts.ask),
            bidPremium: Price(micros: parts.bid),
            openInterest: try integer(.openInterest, 0...Int64(FlowAlert.countMax)),
            volumeToInterest: lenient(.volumeOiRatio),
            tradeCount: count(.tradeCount),
            flags: try alertFlags(),
            totals: volumes(),
            tradeCodes: optional { () throws(MalformedReason) in try texts(.upstreamConditionDetails) } ?? [],
            exchanges: optional { () throws(MalformedReason) in try texts(.exchanges) } ?? []
        )
    }

    private func price(hint: String?) throws(MalformedReason) -> UWPrice {
        let close = try required(micros(.close))
        guard close > 0 else { throw .range }
        return UWPrice(
            ticker: try text(.ticker, limit: 32) ?? hint,
            close: Price(micros: close),
            time: try required(time(.time)),
            volume: try integer(.vol)
        )
    }

    private func news() throws(MalformedReason) -> UWNews {
        UWNews(
            headline: try required(text(.headline, limit: 4_096)),
            time: try required(time(.timestamp)),
            source: try text(.source),
            tickers: try texts(.tickers, limit: 32),
            isTrumpPost: try bool(.isTrumpTs) ?? false
        )
    }

    private func exposure(hint: String?) throws(MalformedReason) -> UWExposure {
        UWExposure(
            ticker: try required(text(.ticker, limit: 32) ?? hint),
            time: try required(time(.timestamp)),
            price: try decimal(.price),
            interest: UWExposure.Greeks(
                gamma: try decimal(.gammaPerOnePercentMoveOi),
                delta: try decimal(.deltaPerOnePercentMoveOi),
                charm: try decimal(.charmPerOnePercentMoveOi),
                vanna: try decimal(.vannaPerOnePercentMoveOi)
            ),
            volume: UWExposure.Greeks(
                gamma: try decimal(.gammaPerOnePercentMoveVol),
                delta: try decimal(.deltaPerOnePercentMoveVol),
                charm: try decimal(.charmPerOnePercentMoveVol),
                vanna: try decimal(.vannaPerOnePercentMoveVol)
            ),
            directed: UWExposure.Greeks(
                gamma: try decimal(.gammaPerOnePercentMoveDir),
                charm: try decimal(.charmPerOnePercentMoveDir),
                vanna: try decimal(.vannaPerOnePercentMoveDir)
            )
        )
    }

    private func strikeExposure(hint: String?, needsExpiry: Bool) throws(MalformedReason) -> UWStrikeExposure {
        let expiry = try date(.expiry)
        return UWStrikeExposure(
            ticker: try required(text(.ticker, limit: 32) ?? hint),
            time: try required(time(.timestamp)),
            price: try decimal(.price),
            strike: try required(decimal(.strike)),
            expiry: needsExpiry ? try required(expiry) : expiry,
            calls: UWStrikeExposure.Side(
                interest: try greeks(.callGammaOi, .callCharmOi, .callVannaOi),
                volume: try greeks(.callGammaVol, .callCharmVol, .callVannaVol),
                askVolume: try greeks(.callGammaAskVol, .callCharmAskVol, .callVannaAskVol),
                bidVolume: try greeks(.callGammaBidVol, .callCharmBidVol, .callVannaBidVol)
            ),
            puts: UWStrikeExposure.Side(
                interest: try greeks(.putGammaOi, .putCharmOi, .putVannaOi),
                volume: try greeks(.putGammaVol, .putCharmVol, .putVannaVol),
                askVolume: try greeks(.putGammaAskVol, .putCharmAskVol, .putVannaAskVol),
                bidVolume: try greeks(.putGammaBidVol, .putCharmBidVol, .putVannaBidVol)
            )
        )
    }

    private func greeks(
        _ gamma: UnusualWhalesField,
        _ charm: UnusualWhalesField,
        _ vanna: UnusualWhalesField
    ) throws(MalformedReason) -> UWStrikeExposure.Greeks {
        UWStrikeExposure.Greeks(gamma: try decimal(gamma), charm: try decimal(charm), vanna: try decimal(vanna))
    }

    private func equityPrint(isOffExchange: Bool, hint: String?) throws(MalformedReason) -> UWPrint {
        let price = try required(micros(.price))
        guard price > 0 else { throw .range }
        let symbolKey = first(.symbol, .ticker) ?? .symbol
        return UWPrint(
            symbol: try required(text(symbolKey, limit: 32) ?? hint),
            isOffExchange: isOffExchange,
            executedAt: try required(time(.executedAt)),
            price: Price(micros: price),
            size: Size(micros: try required(micros(.size))),
            volume: try integer(.volume),
            bid: try micros(.nbboBid).map { Price(micros: $0) },
            ask: try micros(.nbboAsk).map { Price(micros: $0) },
            bidSize: try integer(.nbboBidQuantity),
            askSize: try integer(.nbboAskQuantity),
            settlement: try text(.tradeSettlement, limit: 64),
            tradeCode: try text(.tradeCode, limit: 64),
            extendedHoursCode: try text(.extHourSoldCodes, limit: 64),
            saleConditions: try text(.saleCondCodes, limit: 128)
        )
    }

    // MARK: What an event doesn't hold and so may be wrong

    /// A contract's name without `O:`, of OCC form.
    private func contract(_ key: UnusualWhalesField) throws(MalformedReason) -> String {
        let text = try required(text(key, limit: 64))
        let name = text.hasPrefix("O:") ? String(text.dropFirst(2)) : text
        guard Instrument("O:" + name) != nil else { throw .symbol }
        return name
    }

    private func optional<Value>(_ read: () throws(MalformedReason) -> Value?) -> Value? {
        do { return try read() } catch { return nil }
    }

    private func lenient(_ key: UnusualWhalesField) -> ExactDecimal? {
        optional { () throws(MalformedReason) in try decimal(key) }
    }

    private func count(_ key: UnusualWhalesField) -> Int64? {
        optional { () throws(MalformedReason) in try integer(key) }
    }

    private func right() -> Bool? {
        let word = optional { () throws(MalformedReason) in try text(first(.optionType, .type) ?? .optionType) }
        return switch word?.lowercased() {
        case "call", "c": true
        case "put", "p": false
        default: nil
        }
    }

    private func volumes() -> UWVolumes {
        UWVolumes(
            all: count(.volume),
            ask: count(.askVol),
            bid: count(.bidVol),
            mid: count(.midVol),
            noSide: count(.noSideVol),
            multiLeg: count(.multiVol),
            stockTied: count(.stockMultiVol)
        )
    }
}
