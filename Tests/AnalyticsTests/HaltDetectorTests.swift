import Analytics
import MarketData
import Primitives
import Testing

@Suite struct HaltDetectorTests {
    private func bands(_ upper: Double, _ lower: Double) -> PriceBands {
        PriceBands(
            symbol: Example.symbol,
            time: Example.at(10, 0),
            upper: Example.price(upper),
            lower: Example.price(lower)
        )
    }

    private func pinned() -> HaltDetector {
        var detector = HaltDetector()
        detector.banded(bands(110, 90), received: Example.at(10, 0))
        detector.traded(Example.price(110), received: Example.at(10, 0, 1))
        detector.quoted(Example.quote(110, 0, at: Example.at(10, 0, 2)), received: Example.at(10, 0, 2))
        return detector
    }

    @Test func suspectsAfterFifteenSeconds() {
        var detector = pinned()
        #expect(detector.boundary == Example.at(10, 0, 17))
        // A further print at the band doesn't start the wait anew.
        detector.traded(Example.price(110), received: Example.at(10, 0, 9))
        #expect(detector.boundary == Example.at(10, 0, 17))
        #expect(detector.advance(to: Example.at(10, 0, 16.999)) == false)
        #expect(detector.advance(to: Example.at(10, 0, 17)) == true)
        #expect(detector.isSuspected)
        #expect(detector.advance(to: Example.at(10, 1)) == false)
    }

    @Test func endsWithAnyOfTheThree() {
        for change in 0..<3 {
            var detector = pinned()
            _ = detector.advance(to: Example.at(10, 1))
            #expect(detector.isSuspected)
            let now = Example.at(10, 2)
            switch change {
            case 0: detector.quoted(Example.quote(109, 110, at: now), received: now)
            case 1: detector.traded(Example.price(109), received: now)
            default: detector.banded(bands(120, 100), received: now)
            }
            #expect(!detector.isSuspected)
            #expect(detector.boundary == .distantFuture)
        }
    }

    @Test func neitherWithoutBandsNorWithATwoSidedQuote() {
        var detector = HaltDetector()
        #expect(!detector.hasBands)
        detector.traded(Example.price(110), received: Example.at(10, 0))
        detector.quoted(Example.quote(110, 0, at: Example.at(10, 0)), received: Example.at(10, 0))
        #expect(detector.boundary == .distantFuture)
        detector.banded(bands(110, 0), received: Example.at(10, 0))
        #expect(detector.boundary == Example.at(10, 0, 15))
        detector.quoted(Example.quote(110, 110, at: Example.at(10, 0)), received: Example.at(10, 0, 1))
        #expect(detector.boundary == .distantFuture)
        var low = HaltDetector()
        low.banded(bands(110, 90), received: Example.at(10, 0))
        low.quoted(Example.quote(0, 90, at: Example.at(10, 0)), received: Example.at(10, 0))
        #expect(low.boundary == .distantFuture)
        low.traded(Example.price(90), received: Example.at(10, 0, 5))
        #expect(low.boundary == Example.at(10, 0, 20))
    }
}
