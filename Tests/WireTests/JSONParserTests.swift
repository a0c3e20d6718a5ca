import Testing
import Wire

@Suite struct JSONParserTests {
    @Test(arguments: [
        #"{"a":[1,2.50,-3e4],"b":"x\"\\\n é","c":null,"d":true,"e":{}}"#, "[]", "\"\"", "0", "[[[]]]",
    ])
    func writesWhatItReads(text: String) throws {
        let value = try JSONParser.parse(text.utf8)
        var out: [UInt8] = []
        JSONText.append(value, to: &out)
        #expect(try JSONParser.parse(out) == value)
    }

    @Test(arguments: [
        "", "{", "[1,]", "01", "1.", "nul", "\"\u{1}\"", "{\"a\" 1}", "[1] 2", "\"\\x\"", "\"\\ud800\"", "--1", "+1",
        String(repeating: "[", count: 40) + String(repeating: "]", count: 40),
    ])
    func refusesWithTheOffset(text: String) {
        #expect(throws: JSONError.self) { try JSONParser.parse(text.utf8) }
    }

    @Test func readsSurrogatePairsAndKeepsTheLastOfEqualKeys() throws {
        let value = try JSONParser.parse(#"{"k":1,"k":"😀"}"#.utf8)
        #expect(value["k"] == .string("😀"))
    }

    @Test func crcIsTheOneRedisClusterUses() {
        #expect(Channel.crc16("123456789".utf8) == 0x31C3)
    }

    @Test(arguments: ["plan:p_1", "symbol:I:SPX", "health", "plans:u@x", "plans"])
    func readsChannels(name: String) {
        #expect(Channel(name)?.name == name)
    }

    @Test(arguments: ["", "plan", "plan:", "health:x", "what:x", "plan:a b", "plan:\"x"])
    func refusesWhatIsNoChannel(name: String) {
        #expect(Channel(name) == nil)
    }
}
