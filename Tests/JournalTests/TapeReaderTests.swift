import Journal
import Primitives
import Testing
import Wire

@Suite struct TapeReaderTests {
    private let directory = TemporaryDirectory()

    private func read(
        _ text: String,
        policy: TapeReader.DamagePolicy = .stop,
        limit: Int = TapeReader.lineLimit
    ) throws
        -> (lines: [String], error: JournalError?)
    {
        let path = try directory.write(text.utf8, to: "t.jsonl")
        return readAll([path], policy: policy, lineLimit: limit)
    }

    @Test func readsEveryKind() throws {
        let (lines, error) = try read(smallTape)
        #expect(error == nil)
        #expect(
            lines == [
                "100 - meta k3v9 r1",
                #"110 1 frame stocks [{"ev":"T","sym":"SPY","p":145.1}]"#,
                "120 2 clock",
                "130 3 frame options {\"a\":é \n",
                #"140 4 cmd create c1 u1 {"symbol":"SPY"}"#,
                "150 5 feed bus down refused",
                #"160 6 rest polygon.stocks /v2/x {"results":[1,2]}"#,
                #"170 - frame flow {"x":[]}"#,
            ]
        )
    }

    @Test func anyOrderAndWhiteSpaceSaysTheSame() throws {
        let frame = #"[{"ev":"T","c":[12,41],"x":"]}"}]"#
        let expected = ["7 3 frame stocks " + frame]
        for text in [
            #"{"t":7,"n":3,"src":"polygon.stocks","frame":\#(frame)}"#,
            #"{"frame":\#(frame),"src":"polygon.stocks","n":3,"t":7}"#,
            #" { "t" : 7 , "n" : "3" , "src" : "polygon.stocks" , "frame" : \#(frame) } "#,
            #"{"t":7,"n":3,"src":"polygon.stocks","frame":\#(frame),"more":{"x":[1]}}"#,
            "{\"t\":7,\"n\":3,\"src\":\"polygon.stocks\",\"frame\":\(frame)}\r\n\n",
        ] {
            let (lines, error) = try read(text)
            #expect(lines == expected && error == nil, "\(text): \(String(describing: error))")
        }
    }

    @Test func everyPrefixGivesItsGoodLines() throws {
        let whole = Array(smallTape.utf8)
        let all = try read(smallTape).lines
        for length in 0...whole.count {
            let path = try directory.write(whole[..<length], to: "cut.jsonl")
            let (lines, error) = readAll([path])
            let feeds = whole[..<length].filter { $0 == 0x0A }.count
            let lastIsWhole = length < whole.count && length > 0 && whole[length] == 0x0A
            let expected = feeds + (lastIsWhole ? 1 : 0)
            #expect(lines == Array(all[..<expected]), "cut at \(length)")
            let isTorn = !lastIsWhole && length > 0 && whole[length - 1] != 0x0A
            #expect((error?.code == .cut) == isTorn, "cut at \(length): \(String(describing: error))")
            if let error { #expect(error.line == Int64(feeds + 1) && error.file == path) }
        }
    }

    @Test func everyPrefixOfACompressedTapeGivesItsGoodLines() throws {
        let all = try read(smallTape).lines
        let whole = try compressed(smallTape)
        for length in 0...whole.count {
            let path = try directory.write(whole[..<length], to: "cut.jsonl.zst")
            let (lines, error) = readAll([path])
            #expect(all.starts(with: lines), "cut at \(length)")
            #expect((error == nil) == (length == whole.count), "cut at \(length): \(String(describing: error))")
            if length < whole.count { #expect(error?.code == .cut, "cut at \(length)") }
        }
    }

    @Test func aFlippedBitOfACompressedTapeIsNeverTakenForData() throws {
        let all = try read(smallTape).lines
        let whole = try compressed(smallTape)
        for place in 0..<whole.count {
            for bit in 0..<8 {
                var damaged = whole
                damaged[place] ^= 1 << UInt8(bit)
                let path = try directory.write(damaged, to: "flip.jsonl.zst")
                let (lines, error) = readAll([path])
                #expect(error != nil || lines == all, "byte \(place), bit \(bit)")
            }
        }
    }

    /// By the writer itself: a segment that was closed.
    private func compressed(_ text: String) throws -> [UInt8] {
        let inner = TemporaryDirectory()
        _ = try inner.write(text.utf8, to: "tape-000001.jsonl")
        let writer = try TapeWriter(directory: inner.path)
        #expect(writer.close() == nil)
        return try contents(inner.file("tape-000001.jsonl.zst"))
    }

    @Test func damageIsNamedWithItsPlace() throws {
        let good = #"{"t":1,"clock":true}"#
        let table: [(String, JournalError.Code, Int64, String)] = [
            ("nonsense", .damagedLine, 21, "an object"),
            (#"{"clock":true}"#, .damagedLine, 21, "\"t\""),
            (#"{"t":1.5,"clock":true}"#, .damagedLine, 26, "\"t\""),
            (#"{"t":99999999999999999999,"clock":true}"#, .damagedLine, 26, "\"t\""),
            (#"{"t":2,"n":0,"clock":true}"#, .damagedLine, 32, "\"n\""),
            (#"{"t":2}"#, .damagedLine, 21, "one of meta"),
            (#"{"t":2,"clock":false}"#, .damagedLine, 36, "true"),
            (#"{"t":2,"clock":true} x"#, .damagedLine, 42, "end of the line"),
            (#"{"t":2,"src":"nobody","frame":[]}"#, .damagedLine, 34, "known source"),
            (#"{"t":2,"frame":[]}"#, .damagedLine, 21, "known source"),
            (#"{"t":2,"src":"uw","frame":[1,]}"#, .damagedLine, 47, "a whole JSON value"),
            (#"{"t":2,"clock":true,"feed":{}}"#, .damagedLine, 48, "one kind"),
            (#"{"t":2,"meta":{"v":2,"ep":"a","run":"b"}}"#, .damagedLine, 35, "version 1"),
            (#"{"t":2,"cmd":{"op":"steal","id":"a","owner":"b","body":{}}}"#, .damagedLine, 34, "\"cmd\""),
            (#"{"t":2,"feed":{"src":"uw","state":"odd"}}"#, .damagedLine, 35, "\"feed\""),
            (#"{"t":0,"clock":true}"#, .unordered, 21, "not before 1"),
        ]
        for (text, code, offset, words) in table {
            let (lines, found) = try read(good + "\n" + text + "\n" + #"{"t":3,"clock":true}"# + "\n")
            #expect(lines == ["1 - clock"], "\(text)")
            let error = try #require(found, "\(text)")
            #expect(error.code == code && error.line == 2 && error.offset == offset, "\(text): \(error)")
            #expect(error.description.contains(words), "\(text): \(error)")
        }
    }

    @Test func skippingCountsAndGoesOn() throws {
        let text = "{\"t\":1,\"clock\":true}\nrubbish\n{\"t\":0,\"clock\":true}\n{\"t\":2,\"clock\":true}\n"
        let reader = TapeReader([try directory.write(text.utf8, to: "t.jsonl")], policy: .skipLine)
        var lines: [String] = []
        while let line = try reader.next() { lines.append(words(line)) }
        #expect(lines == ["1 - clock", "2 - clock"])
        #expect(reader.damagedCount == 2 && reader.unorderedCount == 1 && reader.damage.map(\.line) == [2, 3])
    }

    @Test func aLineBeyondTheLimitIsRefusedAndPassedOver() throws {
        let long = #"{"t":2,"src":"uw","frame":[\#(String(repeating: "1,", count: 400_000))1]}"#
        let text = "{\"t\":1,\"clock\":true}\n" + long + "\n{\"t\":3,\"clock\":true}\n"
        let refused = try read(text, limit: 300_000)
        #expect(refused.lines == ["1 - clock"] && refused.error?.code == .lineTooLong && refused.error?.line == 2)
        let skipped = try read(text, policy: .skipLine, limit: 300_000)
        #expect(skipped.lines == ["1 - clock", "3 - clock"])
        #expect(try read(text).lines.count == 3)
    }

    @Test func readsOnFromEveryPosition() throws {
        let raw = try directory.write(smallTape.utf8, to: "a.jsonl")
        let packed = try directory.write(try compressed(smallTape), to: "b.jsonl.zst")
        let later = try directory.write("{\"t\":900,\"clock\":true}\n".utf8, to: "c.jsonl")
        for first in [raw, packed] {
            let reader = TapeReader([first, later])
            let all = readAll([first, later]).lines
            var count = 0
            while try reader.next() != nil {
                count += 1
                let (rest, error) = readAll([first, later], from: reader.position)
                #expect(error == nil && rest == Array(all[count...]), "after line \(count) of \(first)")
            }
            #expect(count == 9)
        }
        #expect(readAll([raw], from: TapePosition(offset: 3, line: 0)).error?.code == .badPosition)
        #expect(readAll([raw], from: TapePosition(offset: 99_999, line: 0)).error?.code == .badPosition)
    }

    @Test func identityComesFromTheMetaLineOrTheFirstLine() throws {
        let named = TapeReader([try directory.write(smallTape.utf8, to: "a.jsonl")])
        _ = try named.next()
        #expect(named.identity == TapeReader.Identity(epoch: "k3v9", run: "r1"))
        let bare = TapeReader([try directory.write("{\"t\":1,\"clock\":true}\n".utf8, to: "b.jsonl")])
        _ = try bare.next()
        let identity = try #require(bare.identity)
        let hex = SHA256.hex(SHA256.digest(Array(#"{"t":1,"clock":true}"#.utf8)))
        #expect(identity.epoch == "e" + hex.prefix(8) && identity.run.hasPrefix("r"))
    }

    @Test func aMissingFileIsNamed() {
        let error = readAll([directory.file("none.jsonl")]).error
        #expect(error?.code == .unreadable && error?.file.hasSuffix("none.jsonl") == true)
    }
}
