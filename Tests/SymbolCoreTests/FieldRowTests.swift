import Primitives
import SymbolCore
import Testing

@Suite struct FieldRowTests {
    private static let fields: [FieldRow.Field] = [
        .init(name: "a", form: .decimal), .init(name: "b", form: .flag),
        .init(name: "age", form: .integer, isPassive: true),
    ]

    private func written(_ row: inout FieldRow) -> String {
        var out: [UInt8] = []
        row.write(to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    @Test func saysEverythingOnceAndThenWhatChanged() {
        var row = FieldRow(Self.fields)
        #expect(row.isDirty)
        row.set(0, Price(micros: 1_500_000))
        #expect(written(&row) == #"{"a":1.5,"b":null,"age":null}"#)
        row[2] = 7
        #expect(!row.isDirty)
        row.set(1, true)
        #expect(row.isDirty)
        #expect(written(&row) == #"{"b":true,"age":7}"#)
        row.forget()
        #expect(written(&row) == #"{"a":1.5,"b":true,"age":7}"#)
    }

    @Test(arguments: [Double.nan, .infinity, 1e300])
    func aStatisticThatIsNoNumberIsNull(value: Double) {
        var row = FieldRow(Self.fields)
        row.set(0, value)
        #expect(row[0] == FieldRow.null)
    }
}
