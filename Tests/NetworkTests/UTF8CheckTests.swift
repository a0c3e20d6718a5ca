import Primitives
import Testing

@testable import Network

@Suite struct UTF8CheckTests {
    private func isValid(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes { UTF8Check.isValid($0) } }

    /// Every text of two bytes, and of more at the edges of the table's ranges, against the standard library.
    @Test func everyShortTextIsJudgedAsTheStandardLibraryDoes() {
        var wrong: [[UInt8]] = []
        func hold(_ bytes: [UInt8]) {
            if isValid(bytes) != (String(validating: bytes, as: UTF8.self) != nil) { wrong.append(bytes) }
        }
        let edges: [UInt8] = [0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF]
        for first in UInt8.min...UInt8.max {
            hold([first])
            for second in UInt8.min...UInt8.max { hold([first, second]) }
            for second in edges {
                for third in edges where first >= 0xC0 {
                    hold([first, second, third])
                    for fourth in edges where first >= 0xEF { hold([first, second, third, fourth]) }
                }
            }
        }
        #expect(wrong.isEmpty)
    }

    @Test func nothingIsValid() {
        #expect(isValid([]))
        #expect(UTF8Check.isValid(UnsafeRawBufferPointer(start: nil, count: 0)))
    }

    /// A wrong byte is found at every place of texts around the widths of the fast path.
    @Test func oneBadByteIsFoundAnywhere() {
        for count in 1...100 {
            var bytes = [UInt8](repeating: 0x61, count: count)
            #expect(isValid(bytes))
            for index in 0..<count {
                bytes[index] = 0xFF
                #expect(!isValid(bytes), "\(index) of \(count)")
                bytes[index] = 0x61
            }
        }
    }

    /// Valid and broken texts of all planes in random pieces: the same answer as for the whole, and no later.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func cutsChangeNothing(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<2_000 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 0...30, using: &random) {
                let isASCII = Int.random(in: 0..<4, using: &random) > 0
                let value = UInt32.random(in: 0...(isASCII ? 0x7F : 0x10_FFFF), using: &random)
                bytes += Array(String(Unicode.Scalar(value) ?? "µ").utf8)
            }
            if Bool.random(using: &random), !bytes.isEmpty {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            var check = UTF8Check()
            var isGood = true
            var rest = bytes[...]
            while isGood, !rest.isEmpty {
                let piece = Array(rest.prefix(Int.random(in: 1...rest.count, using: &random)))
                rest = rest.dropFirst(piece.count)
                isGood = piece.withUnsafeBytes { check.add($0) }
            }
            let expected = String(validating: bytes, as: UTF8.self) != nil
            #expect((isGood && check.isWhole) == expected, "seed \(seed): \(bytes)")
        }
    }
}
