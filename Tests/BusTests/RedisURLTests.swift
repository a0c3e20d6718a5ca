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
