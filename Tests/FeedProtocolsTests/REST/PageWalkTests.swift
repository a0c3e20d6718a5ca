import FeedProtocols
import Testing

@Suite struct PageWalkTests {
    private func walk(pages: Int = 100, rows: Int = 1_000) throws -> PageWalk {
        let base = try #require(RESTBase("https://api.massive.com", aliases: PolygonREST.hosts))
        return PageWalk(PolygonREST.chain("SPY"), base: base, pagesMax: pages, rowsMax: rows)
    }

    @Test func followsLinksAsTheyStandUntilThereIsNone() throws {
        var walk = try walk()
        let link = "https://api.massive.com/v3/snapshot/options/SPY?cursor=YXA9"
        guard case .follow(let next) = walk.received(rows: 250, link: link) else {
            Issue.record("not followed")
            return
        }
        #expect(next.target == "/v3/snapshot/options/SPY?cursor=YXA9")
        #expect(next.entitlement == PolygonREST.chain("SPY").entitlement)
        #expect(walk.received(rows: 3, link: nil) == .finished)
        #expect(walk.pages == 2)
        #expect(walk.rows == 253)
    }

    @Test func refusesOtherHostsAndCircles() throws {
        var walk = try walk()
        #expect(
            walk.received(rows: 1, link: "https://evil.example/v3")
                == .refused("a link to another place than https://api.massive.com")
        )
        let first = "https://api.massive.com" + PolygonREST.chain("SPY").target
        #expect(walk.received(rows: 1, link: first) == .refused("a link to a page that was read"))
    }

    @Test func stopsAtItsLimits() throws {
        var byPages = try walk(pages: 2)
        _ = byPages.received(rows: 1, link: "/a?1")
        #expect(byPages.received(rows: 1, link: "/a?2") == .capped)
        var byRows = try walk(rows: 10)
        #expect(byRows.received(rows: 10, link: "/a?1") == .capped)
    }

    @Test func pagesBecomeOneText() throws {
        let first =
            #"{ "status":"OK", "count":2, "na\"me":"a  b", "results":[ {"a":1.10},\#n{"a":2} ], "next_url":"x" }"#
        let second = #"{"status":"OK","results":[]}"#
        let third = #"{"results":[{"a":" x y "}]}"#
        let joined = try #require(RESTPages.joined([first, second, third].map { Array($0.utf8) }))
        #expect(
            String(decoding: joined, as: UTF8.self)
                == #"{"status":"OK","na\"me":"a  b","results":[{"a":1.10},{"a":2},{"a":" x y "}]}"#
        )
        let alone = try #require(RESTPages.joined([Array(first.utf8)]))
        #expect(!alone.contains(0x0A))
        #expect(RESTTree(alone) == RESTTree(Array(first.utf8)))
        for broken in [[first, "x"], [first, "[]"], [first, #"{"results":1}"#], ["x"], []] {
            #expect(RESTPages.joined(broken.map { Array($0.utf8) }) == nil)
        }
    }
}
