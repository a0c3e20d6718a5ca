import Primitives
import Testing

@Suite struct StateTests {
    @Test func readsBackWhatWasWritten() throws {
        var writer = StateWriter()
        writer.write(Int64(-3))
        writer.write([Price(micros: 1), Price(micros: 2)])
        writer.write("SPY")
        writer.write(2.5)
        var reader = StateReader(writer.finish())
        #expect(try reader.read(Int64.self) == -3)
        #expect(try reader.readArray(of: Price.self) == [Price(micros: 1), Price(micros: 2)])
        #expect(try reader.readString() == "SPY")
        #expect(try reader.read(Double.self) == 2.5)
        #expect(reader.remaining == 0)
    }

    @Test func refusesEveryCut() {
        var writer = StateWriter()
        writer.write("a text of some length")
        writer.write([UInt64](repeating: 1, count: 4))
        let whole = writer.finish()
        for length in 0..<whole.count {
            var reader = StateReader(Array(whole[..<length]))
            #expect(throws: StateError.self) {
                _ = try reader.readString()
                _ = try reader.readArray(of: UInt64.self)
            }
        }
    }
}
