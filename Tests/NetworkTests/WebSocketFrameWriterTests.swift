import Primitives
import Testing

@testable import Network

@Suite struct WebSocketFrameWriterTests {
    private func frame(_ opcode: WebSocketFrameWriter.Opcode, _ payload: [UInt8], _ mask: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        let word = mask.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
        payload.withUnsafeBytes { WebSocketFrameWriter.append(opcode, $0, mask: word, to: &output) }
        return output
    }

    /// RFC 6455, 5.7: the masked "Hello", and the pong to its ping.
    @Test func theExamplesOfTheStandard() {
        let mask: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]
        let hello = Array("Hello".utf8)
        #expect(frame(.text, hello, mask) == [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58])
        #expect(frame(.pong, hello, mask) == [0x8A, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58])
    }

    /// Every width of the length and every rest of the mask's steps, against the definition.
    @Test(arguments: Array(0...40) + [125, 126, 127, 65_535, 65_536, 70_001])
    func anyLengthIsMasked(count: Int) {
        let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) }
        let mask: [UInt8] = [1, 20, 33, 254]
        let bytes = frame(.binary, payload, mask)
        let plain = serverFrame(payload, 2)
        let headCount = plain.count - payload.count
        var head = plain[..<headCount]
        head[1] |= 0x80
        #expect(bytes[..<headCount] == head)
        #expect(bytes[headCount..<(headCount + 4)].elementsEqual(mask))
        let expected = payload.enumerated().map { $1 ^ mask[$0 & 3] }
        #expect(bytes[(headCount + 4)...].elementsEqual(expected))
    }

    @Test func framesAreAddedBehindWhatWaits() {
        var output: [UInt8] = [9]
        WebSocketFrameWriter.appendClose(1000, "", mask: 0, to: &output)
        WebSocketFrameWriter.appendClose(1005, "dropped", mask: 0, to: &output)
        #expect(output == [9, 0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8, 0x88, 0x80, 0, 0, 0, 0])
    }

    @Test func aLongReasonIsCutBetweenCharacters() {
        var output: [UInt8] = []
        WebSocketFrameWriter.appendClose(4000, String(repeating: "µ", count: 100), mask: 0, to: &output)
        #expect(output[1] == 0x80 | 124)
        #expect(String(validating: output[8...], as: UTF8.self) == String(repeating: "µ", count: 61))
    }
}

@Suite struct WordsTests {
    @Test func aStrangersWordsAreOneLine() {
        #expect(
            String.clean(Array("closed before\u{0}\r\n\tit was  open \u{1B}[31m\u{85}\u{0}".utf8))
                == "closed before it was open [31m"
        )
        #expect(String.clean([]) == "")
        #expect(String.clean([0xFF, 0x41]) == "\u{FFFD}A")
        #expect(String.clean(Array("123456".utf8), charactersMax: 3) == "123…")
        #expect(String.clean(Array("123".utf8), charactersMax: 3) == "123")
    }
}
