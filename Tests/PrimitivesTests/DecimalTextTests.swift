import Primitives
import Testing

@Suite struct DecimalTextTests {
    @Test(arguments: [
        ("0", 0), ("145.1", 145_100_000), ("-0.000001", -1), ("1e3", 1_000_000_000), ("12.0", 12_000_000),
        ("1.5E-2", 15_000), ("0.1230000000000", 123_000), ("9223372036854.775807", Int64.max),
    ])
    func readsExactly(text: String, micros: Int64) {
        #expect(DecimalText.micros(text.utf8) == micros)
    }

    @Test(arguments: ["", "-", ".5", "1e", "1e+", "abc", "1.2.3", "0.0000001", "9223372036854.775808", "1e99", " 1"])
    func refuses(text: String) {
        #expect(DecimalText.micros(text.utf8) == nil)
    }

    @Test func writesWhatItReads() {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<10_000 {
            let value = Int64.random(in: -(1 << 50)...(1 << 50), using: &random)
            var text: [UInt8] = []
            DecimalText.append(micros: value, to: &text)
            #expect(DecimalText.micros(text) == value)
        }
    }
}
