import Primitives
import Testing

@testable import Bus

@Suite struct RedisURLTests {
    @Test func readsEveryForm() throws {
        let plain = try RedisURL("redis://host")
        #expect(plain.place == .tcp(host: "host", port: 6_379) && plain.database == 0 && plain.user.isEmpty)
        let full = try RedisURL("redis://us%40er:p%3Ass@10.0.0.1:7000/12")
        #expect(full.place == .tcp(host: "10.0.0.1", port: 7_000) && full.database == 12)
        #expect(full.user == "us@er" && full.password == "p:ss")
        #expect(try RedisURL("redis://:secret@[::1]:7000").place == .tcp(host: "::1", port: 7_000))
        #expect(try RedisURL("redis://[::1]/2").place == .tcp(host: "::1", port: 6_379))
        #expect(try RedisURL("unix:///run/redis.sock?db=3").database == 3)
        #expect(try RedisURL("unix://u:p@/run/r.sock").place == .unix(path: "/run/r.sock"))
    }

    @Test func neverShowsThePassword() throws {
        for text in ["redis://u:s3cret@h:1/2", "unix://u:s3cret@/run/s"] {
            let url = try RedisURL(text)
            #expect(!"\(url)".contains("s3cret") && !String(reflecting: url).contains("s3cret"))
            var dumped = ""
            dump(url, to: &dumped)
            #expect(!dumped.contains("s3cret"))
        }
        let error = #expect(throws: BusError.self) { try RedisURL("rediss://u:s3cret@h") }
        #expect(error?.message.contains("TLS") == true && error?.description.contains("s3cret") == false)
    }

    @Test(arguments: [
        "", "host:6379", "http://host", "redis://", "redis://:p@", "redis://h:0", "redis://h:70000", "redis://h:x",
        "redis://h/x", "redis://h/-1", "redis://a%zz@h", "redis://a%4@h", "unix://relative", "unix:///s?x=1",
        "unix:///s?db=x", "rediss://h", "unix://" + String(repeating: "/long", count: 30),
    ]) func refusesTheRest(text: String) {
        #expect(throws: BusError.self) { try RedisURL(text) }
    }
}

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

@Suite struct RedisBackoffTests {
    @Test func doublesToTheCeilingAndBegins() {
        var backoff = RedisBackoff(minMillis: 50, maxMillis: 5_000, seed: 1)
        var full: Int64 = 50
        for _ in 0..<200 {
            let pause = backoff.next()
            #expect(pause >= full / 2 && pause <= full)
            full = min(full * 2, 5_000)
        }
        backoff.reset()
        #expect((25...50).contains(backoff.next()))
    }
}
