/// The keys of all channels' objects.
enum UnusualWhalesField: Int, CaseIterable, FieldName {
    // Acknowledgements and halts.
    case status, response, state, reason, symbol, haltedAt, haltTime
    // Trades and alerts.
    case id, underlyingSymbol, optionSymbol, executedAt, createdAt, nbboBid, nbboAsk, ewmaNbboBid, ewmaNbboAsk
    case price, premium, strike, underlyingPrice, theo, size, volume, openInterest
    case askVol, bidVol, midVol, noSideVol, multiVol, stockMultiVol
    case expiry, optionType, impliedVolatility, delta, gamma, theta, vega, rho
    case tags, reportFlags, tradeCode, exchange
    case ruleId, ruleName, ticker, optionChain, bid, ask, totalSize, totalPremium, totalAskSidePrem, totalBidSidePrem
    case volumeOiRatio, startTime, endTime, tradeCount, expiryCount, tradeIds
    case hasSweep, hasFloor, hasMultileg, hasSingleleg, allOpeningTrades
    case upstreamConditionDetails, exchanges, alertRule, type
    // Prices and news.
    case close, time, vol, headline, timestamp, source, tickers, isTrumpTs, tapeTime
    // Exposures.
    case gammaPerOnePercentMoveOi, deltaPerOnePercentMoveOi, charmPerOnePercentMoveOi, vannaPerOnePercentMoveOi
    case gammaPerOnePercentMoveVol, deltaPerOnePercentMoveVol, charmPerOnePercentMoveVol, vannaPerOnePercentMoveVol
    case gammaPerOnePercentMoveDir, charmPerOnePercentMoveDir, vannaPerOnePercentMoveDir
    case callGammaOi, callCharmOi, callVannaOi, putGammaOi, putCharmOi, putVannaOi
    case callGammaVol, callCharmVol, callVannaVol, putGammaVol, putCharmVol, putVannaVol
    case callGammaAskVol, callCharmAskVol, callVannaAskVol, putGammaAskVol, putCharmAskVol, putVannaAskVol
    case callGammaBidVol, callCharmBidVol, callVannaBidVol, putGammaBidVol, putCharmBidVol, putVannaBidVol
    // Equity prints.
    case tradeSettlement, extHourSoldCodes, saleCondCodes, nbboBidQuantity, nbboAskQuantity

    static let names = FieldNames<UnusualWhalesField>()
}
