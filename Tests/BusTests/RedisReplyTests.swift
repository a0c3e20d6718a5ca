import Testing

@testable import Bus

@Suite struct RedisReplyTests {
    private func replies(_ text: String, chunk: Int = .max) -> [RedisReply]? {
        let parser = RedisParser()
        var found: [RedisReply] = []
        let bytes = Array(text.utf8)
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, chunk == .max ? bytes.count : start + chunk)
            if bytes[start..<end].withUnsafeBytes({ parser.feed($0) }) != nil { return nil }
            start = end
            loop: while true {
                switch parser.next() {
                case .reply(let reply): found.append(reply)
                case .incomplete: break loop
                case .broken: return nil
                }
            }
        }
        return found
    }

    @Test(arguments: [1, 2, 7, Int.max]) func readsEveryKindHoweverCut(chunk: Int) {
        let text = "+OK\r\n:-5\r\n$3\r\na\r\n\r\n$-1\r\n*2\r\n$1\r\nx\r\n*1\r\n:7\r\n-NOPERM no\r\n*-1\r\n*0\r\n"
        let wanted: [RedisReply] = [
            .status("OK"), .integer(-5), .text(Array("a\r\n".utf8)), .none,
            .array([.text(Array("x".utf8)), .array([.integer(7)])]), .error("NOPERM no"), .none, .array([]),
        ]
        #expect(replies(text, chunk: chunk) == wanted)
        #expect(RedisReply.code(of: "NOPERM no") == "NOPERM")
    }

    @Test func refusesWhatIsNoReply() {
        #expect(replies("HTTP/1.1 400 Bad Request\r\n\r\n") == nil)
        #expect(replies("%1\r\n") == nil)
    }
}
