import FeedProtocols
import MarketData
import Primitives
import Testing

@Suite struct RESTRequestTests {
    private let from = Instant(millis: 1_764_086_400_000)

    @Test func callsAreWrittenAsDocumented() {
        let to = from.advanced(byNanos: 120_000_000_000)
        #expect(
            PolygonREST.bars("SPY", .minute, from: from, to: to).target
                == "/v2/aggs/ticker/SPY/range/1/minute/1764086400000/1764086519999?adjusted=true&sort=asc&limit=50000"
        )
        #expect(
            PolygonREST.bars("I:SPX", .second, from: from, to: to).path.hasPrefix(
                "/v2/aggs/ticker/I:SPX/range/1/second/"
            )
        )
        #expect(
            PolygonREST.bars("BRK/A", .day, from: from, to: to).path.hasPrefix("/v2/aggs/ticker/BRK%2FA/range/1/day/")
        )
        let filter = PolygonREST.ChainFilter(
            expiryFrom: 20_251_125,
            expiryTo: 20_251_219,
            strikeFrom: Price(micros: 640_500_000),
            strikeTo: Price(micros: 660_000_000),
            isCall: true
        )
        #expect(
            PolygonREST.chain("SPY", filter).target
                == "/v3/snapshot/options/SPY?strike_price.gte=640.5&strike_price.lte=660&expiration_date.gte=2025-11-25"
                + "&expiration_date.lte=2025-12-19&contract_type=call&order=asc&sort=expiration_date&limit=250"
        )
        #expect(
            PolygonREST.chain("I:SPX").target
                == "/v3/snapshot/options/I:SPX?order=asc&sort=expiration_date&limit=250"
        )
        #expect(PolygonREST.lastQuote("SPY").target == "/v2/last/nbbo/SPY")
        #expect(
            PolygonREST.conditions(.option).target
                == "/v3/reference/conditions?asset_class=options&data_type=trade&limit=1000"
        )
        #expect(PolygonREST.exchanges(.equity).target == "/v3/reference/exchanges?asset_class=stocks")
        #expect(PolygonREST.marketStatus.target == "/v1/marketstatus/now")
        #expect(PolygonREST.holidays.target == "/v1/marketstatus/upcoming")
        #expect(
            PolygonREST.indices(["I:SPX", "I:NDX"]).map(\.target)
                == ["/v3/snapshot/indices?ticker.any_of=I:SPX,I:NDX&limit=250"]
        )
        #expect(PolygonREST.indices(Array(repeating: "I:SPX", count: 251)).count == 2)
    }

    @Test func whatIsAskedForCannotLeaveItsSegment() throws {
        for text in ["../../v1/x", "..", ".", "a?b=c#d", "a b\u{0}\n", "é"] {
            let request = RESTRequest(["v2", text], [("q", text)], entitlement: "")
            let back = try #require(RESTRequest(target: request.target, entitlement: ""))
            #expect(back == request)
            #expect(request.path.split(separator: "/").count == 2)
            #expect(back.argument("q") == text)
            #expect(!request.path.split(separator: "/").contains { $0 == "." || $0 == ".." })
        }
    }

    @Test func keysInALinkAreLeftOut() throws {
        let target = "/v2/x?cursor=ab%3D&apiKey=SECRET&a=1&API_KEY=S&token=T&%61piKey=U"
        #expect(try #require(RESTRequest(target: target, entitlement: "")).target == "/v2/x?cursor=ab%3D&a=1")
    }

    @Test(arguments: [
        "", "v2/x", "//evil.example/x", "/a b", "/a\r\nHost: x", "/a\\b", "/" + String(repeating: "a", count: 9_000),
    ])
    func refusesWhatIsNoTarget(_ text: String) {
        #expect(RESTRequest(target: text, entitlement: "") == nil)
    }
}

@Suite struct RESTBaseTests {
    @Test func readsHosts() throws {
        #expect("\(try #require(RESTBase("https://API.massive.com/")))" == "https://api.massive.com")
        #expect("\(try #require(RESTBase("https://api.massive.com:443")))" == "https://api.massive.com")
        #expect("\(try #require(RESTBase("https://h:8443")))" == "https://h:8443")
        #expect("\(try #require(RESTBase("http://127.0.0.1:8702")))" == "http://127.0.0.1:8702")
        #expect("\(try #require(RESTBase("http://[::1]:8702")))" == "http://[::1]:8702")
    }

    @Test(arguments: [
        "", "api.massive.com", "ftp://h", "http://api.massive.com", "http://127.0.0.1.evil.example", "https://u@h",
        "https://h/path", "https://h?x", "https://h:0", "https://h:99999", "https://:80", "https://h h", "http://127.1",
    ])
    func refusesWhereTheKeyMustNotGo(_ text: String) {
        #expect(RESTBase(text) == nil)
    }

    @Test func followsTheSameHostOnly() throws {
        let base = try #require(RESTBase("https://api.massive.com", aliases: PolygonREST.hosts))
        func target(_ link: String) -> String? { base.request(following: link, entitlement: "")?.target }
        #expect(target("https://api.massive.com/v3/x?cursor=a") == "/v3/x?cursor=a")
        #expect(target("https://API.MASSIVE.COM:443/v3/x?cursor=a&apiKey=K") == "/v3/x?cursor=a")
        #expect(target("https://api.polygon.io/v3/x?cursor=a") == "/v3/x?cursor=a")
        #expect(target("/v3/x?cursor=a") == "/v3/x?cursor=a")
        for link in [
            "http://api.massive.com/v3/x", "https://api.massive.com:8443/v3/x", "https://evil.example/v3/x",
            "https://api.massive.com@evil.example/v3/x", "https://api.massive.com.evil.example/x", "//evil.example/x",
            "https://evil.example\\@api.massive.com/x", "javascript:x", "https://api.massive.com", "", "x",
        ] {
            #expect(target(link) == nil, "\(link)")
        }
        // Another provider's base knows no other name.
        let other = try #require(RESTBase("https://api.example.com", aliases: PolygonREST.hosts))
        #expect(other.request(following: "https://api.massive.com/x", entitlement: "") == nil)
    }
}

@Suite struct RESTKeyTests {
    private let canary = "CANARY+key/9"

    @Test func showsItselfInTheHeaderOnly() throws {
        let key = try #require(RESTKey(canary))
        #expect(key.authorization == "Bearer CANARY+key/9")
        var dumped = ""
        dump(key, to: &dumped)
        dump([key], to: &dumped)
        for text in ["\(key)", String(reflecting: key), "\([key])", String(describing: Optional(key)), dumped] {
            #expect(!text.contains("CANARY"), "\(text)")
        }
    }

    @Test func takesItselfOutOfTexts() throws {
        let key = try #require(RESTKey(canary))
        #expect(key.redacted("a CANARY+key/9 b CANARY%2Bkey%2F9 c") == "a *** b *** c")
        let body = Array(#"{"k":"CANARY+key/9","CANARY+key/9":1}"#.utf8)
        #expect(String(decoding: key.redacted(body), as: UTF8.self) == #"{"k":"***","***":1}"#)
        #expect(key.redacted(Array("CANARY+key/".utf8)) == Array("CANARY+key/".utf8))
    }

    @Test(arguments: ["", "a b", "a\r\nX: y", "ké"]) func refusesWhatNoHeaderCarries(_ text: String) {
        #expect(RESTKey(text) == nil)
    }
}
