import MarketData
import Plans
import Primitives
import Testing
import Wire

/// What plans say of gaps, busts and corporate actions, as text.
@Suite struct PlanTextTests {
    private let handle = PlanHandle(slot: 0, order: 1)
    private let bar = RepairBar(
        start: Instant(nanos: 5_000_000_000),
        seconds: 1,
        session: .rth,
        open: Price(micros: 1_000_000),
        high: Price(micros: 3_000_000),
        low: Price(micros: 500_000),
        close: Price(micros: 2_000_000)
    )

    private func hit(_ change: (inout PlanHit) -> Void) -> PlanHit {
        var hit = PlanHit(
            plan: handle,
            version: 2,
            index: 3,
            kind: .stop,
            rule: .stop,
            price: Price(micros: 500_000),
            time: Instant(nanos: 5_000_000_000),
            remaining: .zero
        )
        change(&hit)
        return hit
    }

    private func text(_ body: (inout [UInt8]) -> Void) -> String {
        var out: [UInt8] = []
        body(&out)
        return String(decoding: out, as: UTF8.self)
    }

    @Test func aRepairedHitNamesItsBar() {
        let hit = hit {
            $0.isRepaired = true
            $0.isAmbiguous = true
        }
        let reason = HitReason(
            event: nil,
            bar: bar,
            source: nil,
            received: Instant(nanos: 9),
            nbbo: nil,
            stability: nil
        )
        #expect(
            text { PlanText.append(hit, of: "p_1", because: reason, to: &$0) }
                == #"{"plan":"p_1","version":2,"i":3,"kind":"stop","k":null,"price":0.5,"t":"5000000000","gap":false,"#
                + #""slippageR":null,"repaired":true,"ambiguous":true,"why":{"rule":"stop","feed":null,"event":"bar","#
                + #""start":"5000000000","seconds":1,"open":1,"high":3,"low":0.5,"close":2,"recv":"9","bid":null,"#
                + #""ask":null,"spread":null,"stability":null}}"#
        )
    }

    @Test func marksAreThereOnlyWhereTrue() throws {
        let plain = HitReason(event: nil, source: nil, received: .zero, nbbo: nil, stability: nil)
        let text = text { PlanText.append(hit { _ in }, of: "p_1", because: plain, to: &$0) }
        let fields = try JSONParser.parse(Array(text.utf8))
        for mark in ["repaired", "ambiguous", "uncertainTime", "voided"] { #expect(fields[mark] == nil) }
        let late = self.text { PlanText.append(hit { $0.isTimeUncertain = true }, of: "p_1", because: plain, to: &$0) }
        #expect(late.contains(#""slippageR":null,"uncertainTime":true,"why""#))
    }

    @Test func aBustIsTheHitOnceMore() {
        let bust = TradeBust(
            symbol: SymbolID(index: 1),
            exchange: 4,
            sequence: 12,
            price: Price(micros: 500_000),
            size: Size(shares: 100),
            time: Instant(nanos: 7),
            received: Instant(nanos: 8)
        )
        let void = PlanVoid(hit: hit { $0.isVoided = true }, bust: bust)
        #expect(
            text { PlanText.append(void, of: "p_1", to: &$0) }
                == #"{"plan":"p_1","version":2,"i":3,"kind":"stop","k":null,"price":0.5,"t":"5000000000","gap":false,"#
                + #""slippageR":null,"voided":true,"why":{"rule":"bust","event":"bust","seq":12,"exchange":4,"#
                + #""price":0.5,"size":100,"ex":"7","recv":"8"}}"#
        )
    }

    @Test func blindIsTrueFalseOrTheGap() {
        let cases: [(PlanBlindness, String)] = [
            (.sees, "false"), (.blind, "true"),
            (.gap(from: Instant(nanos: 3), to: Instant(nanos: 4)), #"["3","4"]"#),
        ]
        for (blind, expected) in cases {
            let status = PlanStatus(
                plan: handle,
                version: 1,
                state: .armed,
                stop: Price(micros: 1_500_000),
                reason: .unrepaired,
                blind: blind
            )
            #expect(
                text { PlanText.append(status, of: "p_1", to: &$0) }
                    == #"{"plan":"p_1","state":"armed","version":1,"stop":1.5,"blind":\#(expected),"reason":"unrepaired"}"#
            )
        }
    }

    @Test func reviewIsTold() {
        let status = PlanStatus(
            plan: handle,
            version: 1,
            state: .armed,
            stop: Price(micros: 1_500_000),
            reason: .needsReview,
            needsReview: true
        )
        #expect(
            text { PlanText.append(status, of: "p_1", to: &$0) }
                == #"{"plan":"p_1","state":"armed","version":1,"stop":1.5,"blind":false,"needsReview":true,"#
                + #""reason":"needs_review"}"#
        )
    }
}
