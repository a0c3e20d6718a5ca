import MarketData
import Primitives
import Testing

@Suite struct MarketEventTests {
    static let symbol = SymbolID(index: 7)
    static let time = Instant(millis: 1_764_086_400_412)

    private func alert(
        start: Instant? = nil,
        price: Price = Price(micros: 1_550_000),
        underlyingPrice: Price = .zero,
        size: UInt32 = 500,
        volume: UInt32 = 0,
        openInterest: UInt32 = 0,
        flags: FlowAlert.Flags = []
    ) -> FlowAlert {
        FlowAlert(
            symbol: Self.symbol,
            time: Self.time,
            start: start,
            idHash: 9,
            price: price,
            bid: Price(micros: 1_530_000),
            ask: Price(micros: 1_560_000),
            underlyingPrice: underlyingPrice,
            size: size,
            volume: volume,
            openInterest: openInterest,
            totalPremium: 77_500_000_000,
            askPremium: 70_000_000_000,
            bidPremium: 1,
            flags: flags
        )
    }

    /// Two words more would be a fifth more memory traffic for every quote.
    @Test func anEventStaysAsSmallAsABar() {
        #expect(MemoryLayout<Bar>.size == 72)
        #expect(MemoryLayout<FlowAlert>.size == 72)
        #expect(MemoryLayout<MarketEvent>.size == 73)
        #expect(MemoryLayout<MarketEvent>.stride == 80)
    }

    @Test func anAlertGivesBackWhatItWasMadeOf() {
        let made = alert(
            start: Instant(millis: 1_764_086_400_112),
            underlyingPrice: Price(micros: 648_900_000),
            volume: 1_060,
            openInterest: 4_100,
            flags: [.sweep, .allOpening]
        )
        #expect(made.start == Instant(millis: 1_764_086_400_112) && made.time == Self.time)
        #expect(made.price.micros == 1_550_000 && made.underlyingPrice.micros == 648_900_000)
        #expect(made.bid.micros == 1_530_000 && made.ask.micros == 1_560_000)
        #expect(made.size == 500 && made.volume == 1_060 && made.openInterest == 4_100)
        #expect(made.flags == [.sweep, .allOpening] && !made.flags.contains(.floor))
        #expect(made.totalPremium == 77_500_000_000 && made.askPremium == 70_000_000_000 && made.bidPremium == 1)
        let event = MarketEvent.flowAlert(made)
        #expect(event.symbol == Self.symbol && event.time == Self.time)
    }

    @Test func anAlertHoldsItsLimits() {
        let greatest = alert(
            start: Instant(nanos: 0),
            price: Price(micros: .max),
            underlyingPrice: Price(micros: -1),
            size: .max,
            volume: .max,
            openInterest: .max,
            flags: FlowAlert.Flags(rawValue: 31)
        )
        #expect(greatest.size == FlowAlert.countMax && greatest.volume == FlowAlert.countMax)
        #expect(greatest.openInterest == FlowAlert.countMax && greatest.flags.rawValue == 31)
        #expect(greatest.price == FlowAlert.priceMax && greatest.underlyingPrice == .zero)
        #expect(Self.time.nanos(since: greatest.start) == FlowAlert.stretchMax)
        #expect(alert(start: Self.time.advanced(byNanos: 5)).start == Self.time)
        #expect(alert(price: Price(micros: 150)).price.micros == 200)
        #expect(alert(price: Price(micros: 250)).price.micros == 200)
        #expect(alert(price: Price(micros: 251)).price.micros == 300)
    }

    @Test func aHaltKeepsItsReason() {
        let halt = Halt(symbol: Self.symbol, isHalted: true, time: Self.time, reason: Halt.pack("LUDP".utf8))
        #expect(halt.reasonText == "LUDP" && MarketEvent.halt(halt).symbol == Self.symbol)
        #expect(MarketEvent.halt(halt).time == Self.time)
        #expect(Halt(symbol: Self.symbol, isHalted: false, time: Self.time).reasonText.isEmpty)
        var packed = halt
        packed.reason = Halt.pack("a\u{1}é longer".utf8)
        #expect(packed.reasonText == "a????lon")
    }
}
