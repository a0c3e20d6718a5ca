import Testing

@testable import Bus

@Suite struct RedisCommandTests {
    @Test func isLengthPrefixed() {
        var out = RedisCommand.text(["SET", "é"])
        RedisCommand.begin(2, into: &out)
        RedisCommand.add(-10, into: &out)
        RedisCommand.add("a", ".", "b", into: &out)
        let text = "*2\r\n$3\r\nSET\r\n$2\r\né\r\n*2\r\n$3\r\n-10\r\n$3\r\na.b\r\n"
        #expect(String(decoding: out, as: UTF8.self) == text)
        for number in [0, 9, 10, 99, 100, -1, -9, -10, Int64.max, Int64.min] {
            var one: [UInt8] = []
            RedisCommand.add(number, into: &one)
            let digits = String(number)
            #expect(String(decoding: one, as: UTF8.self) == "$\(digits.utf8.count)\r\n\(digits)\r\n")
        }
    }
}
