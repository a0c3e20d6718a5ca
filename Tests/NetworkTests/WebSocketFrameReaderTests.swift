import Primitives
import Testing

@testable import Network

/// What a reader gave, kept.
enum ReadItem: Equatable {
    case text(String)
    case binary([UInt8])
    case ping([UInt8])
    case pong([UInt8])
    case close(UInt16, String)
    case failed(WebSocketFault)
}

/// Reads `pieces` one after the other, each in memory of its own, as short as it is.
func readAll(_ pieces: [[UInt8]], limit: Int = 1_000_000) -> [ReadItem] {
    var reader = WebSocketFrameReader(limit: limit)
    var items: [ReadItem] = []
    for piece in pieces {
        piece.withUnsafeBytes { bytes in
            var rest = bytes
            while let item = reader.next(&rest) {
                switch item {
                case .text(let bytes): items.append(.text(String(decoding: bytes, as: UTF8.self)))
                case .binary(let bytes): items.append(.binary(Array(bytes)))
                case .ping(let bytes): items.append(.ping(Array(bytes)))
                case .pong(let bytes): items.append(.pong(Array(bytes)))
                case .close(let code, let reason): items.append(.close(code, String(decoding: reason, as: UTF8.self)))
                case .failed(let fault): items.append(.failed(fault))
                }
            }
        }
    }
    return items
}

/// A server's frame: not masked.
func serverFrame(_ payload: [UInt8], _ opcode: UInt8, isLast: Bool = true) -> [UInt8] {
    var bytes = [(isLast ? 0x80 : 0) | opcode]
    switch payload.count {
    case ..<126: bytes.append(UInt8(payload.count))
    case ..<65_536: bytes += [126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
    default: bytes += [127] + (0..<8).reversed().map { UInt8(payload.count >> ($0 * 8) & 0xFF) }
    }
    return bytes + payload
}

func serverFrame(_ text: String, isLast: Bool = true) -> [UInt8] { serverFrame(Array(text.utf8), 1, isLast: isLast) }

@Suite struct WebSocketFrameReaderTests {
    /// RFC 6455, 5.7, those that a server may send.
    @Test func theExamplesOfTheStandard() {
        #expect(readAll([[0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F]]) == [.text("Hello")])
        #expect(readAll([[0x01, 0x03, 0x48, 0x65, 0x6C, 0x80, 0x02, 0x6C, 0x6F]]) == [.text("Hello")])
        #expect(readAll([[0x89, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F]]) == [.ping(Array("Hello".utf8))])
        let short = [UInt8](repeating: 7, count: 256)
        #expect(readAll([[0x82, 0x7E, 0x01, 0x00] + short]) == [.binary(short)])
        let long = [UInt8](repeating: 8, count: 65_536)
        #expect(readAll([[0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0] + long]) == [.binary(long)])
        // The masked one is a client's.
        let masked: [UInt8] = [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58]
        #expect(readAll([masked]) == [.failed(.masked)])
    }

    /// Messages of every width of the length, fragments with a character cut between them, control frames inside.
    private static let conversation: (bytes: [UInt8], items: [ReadItem]) = {
        let medium = String(repeating: "quote ", count: 30)
        let long = String(repeating: "x", count: 65_540) + "µ"
        let cut = Array("prices: µ".utf8)
        let bytes =
            serverFrame("[]") + serverFrame("") + serverFrame(medium) + serverFrame([1, 2], 2)
            + serverFrame(Array(cut.dropLast()), 1, isLast: false) + serverFrame([9], 9)
            + serverFrame([], 0, isLast: false) + serverFrame([], 10) + serverFrame([cut[cut.count - 1]], 0)
            + serverFrame([3], 2, isLast: false) + serverFrame([], 0) + serverFrame(long) + serverFrame("last")
            + serverFrame([0x03, 0xF4] + Array("restart".utf8), 8) + serverFrame("not read")
        let items: [ReadItem] = [
            .text("[]"), .text(""), .text(medium), .binary([1, 2]), .ping([9]), .pong([]), .text("prices: µ"),
            .binary([3]), .text(long), .text("last"), .close(1012, "restart"),
        ]
        return (bytes, items)
    }()

    @Test func aConversationIsRead() {
        #expect(readAll([Self.conversation.bytes]) == Self.conversation.items)
    }

    @Test func aCutAtEveryByteChangesNothing() {
        let (bytes, items) = Self.conversation
        // All of the beginning and the end; in the long text one place is like another.
        let places = Array(0...300) + Array((bytes.count - 60)...bytes.count)
        for place in places where readAll([Array(bytes[..<place]), Array(bytes[place...])]) != items {
            Issue.record("cut at \(place)")
        }
        #expect(readAll(bytes.map { [$0] }) == items)
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func anySplitOfAnyStreamGivesTheSame(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            let stream = randomStream(&random)
            let whole = readAll([stream], limit: 2_000)
            for _ in 0..<5 {
                var pieces: [[UInt8]] = []
                var rest = stream[...]
                while !rest.isEmpty {
                    pieces.append(Array(rest.prefix(Int.random(in: 1...min(rest.count, 300), using: &random))))
                    rest = rest.dropFirst(pieces[pieces.count - 1].count)
                }
                #expect(readAll(pieces, limit: 2_000) == whole, "seed \(seed)")
            }
        }
    }

    /// Frames, mostly good ones, some with a byte changed.
    private func randomStream(_ random: inout SeededGenerator) -> [UInt8] {
        var stream: [UInt8] = []
        for _ in 0..<Int.random(in: 1...20, using: &random) {
            let opcode = ([1, 1, 1, 2, 0, 9, 10, 8] as [UInt8]).randomElement(using: &random) ?? 1
            let count = Int.random(in: 0...(opcode >= 8 ? 125 : 400), using: &random)
            var payload = [UInt8](repeating: 0x78, count: count)
            if opcode == 8, count >= 2 { payload.replaceSubrange(0..<2, with: [0x03, 0xE8]) }
            let isLast = opcode >= 8 || Int.random(in: 0..<3, using: &random) > 0
            var frame = serverFrame(payload, opcode, isLast: isLast)
            if Int.random(in: 0..<10, using: &random) == 0 {
                frame[Int.random(in: 0..<frame.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            stream += frame
        }
        return stream
    }

    /// Rubbish is refused or waited for; it never traps and never gives more than it has.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func rubbishNeverTraps(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<5_000 {
            let bytes = (0..<Int.random(in: 0...64, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            let items = readAll([bytes], limit: 1_000)
            #expect(items.count <= bytes.count, "seed \(seed)")
            if let index = items.firstIndex(where: { if case .failed = $0 { true } else { false } }) {
                #expect(index == items.count - 1, "seed \(seed): read on after a fault")
            }
        }
    }

    @Test(
        arguments: [
            ([0xC1, 0x00], .reservedBits), ([0xA1], .reservedBits), ([0x91, 0x00], .reservedBits),
            ([0x83], .unknownOpcode(3)), ([0x87, 0x00], .unknownOpcode(7)), ([0x8B], .unknownOpcode(11)),
            ([0x8F, 0x00], .unknownOpcode(15)), ([0x09, 0x00], .fragmentedControl),
            ([0x89, 0x7E, 0, 126], .longControl),
            ([0x88, 0x7F], .longControl), ([0x82, 0x80], .masked), ([0x82, 0xFF], .masked),
            ([0x82, 0x7E, 0, 125], .badLength), ([0x82, 0x7F, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], .badLength),
            ([0x82, 0x7F, 0x80, 0, 0, 0, 0, 1, 0, 0], .badLength), ([0x80, 0x00], .nothingToContinue),
            ([0x01, 0x00, 0x81, 0x00], .unfinishedMessage), ([0x88, 0x01, 0x03], .badCloseFrame),
            ([0x88, 0x03, 0x03, 0xE8, 0xFF], .badCloseReason), ([0x81, 0x02, 0xC3, 0x28], .badText),
            ([0x81, 0x01, 0xC3], .badText), ([0x01, 0x01, 0xC3, 0x80, 0x00], .badText),
            // Found at the byte, not at the end of the frame.
            ([0x81, 0x0A, 0xFF], .badText),
        ] as [([UInt8], WebSocketFault)]
    )
    func whatIsNotAllowedIsNamed(bytes: [UInt8], fault: WebSocketFault) {
        #expect(readAll([bytes]) == [.failed(fault)])
        #expect(readAll(bytes.map { [$0] }) == [.failed(fault)])
        #expect(fault.words.utf8.count <= 123)
        #expect(WebSocketCloseCode.isSendable(fault.code))
    }

    @Test func closeCodesAreGivenAsTheyCame() {
        let good: [UInt16] = Array(1000...1003) + Array(1007...1014) + [3000, 3999, 4000, 4409, 4999]
        for code in UInt16(0)...5_100 {
            let items = readAll([[0x88, 0x02, UInt8(code >> 8), UInt8(code & 0xFF)]])
            let isGood = good.contains(code) || (3_000...4_999).contains(code)
            #expect(items == [isGood ? .close(code, "") : .failed(.badCloseCode(code))])
        }
        #expect(readAll([[0x88, 0x00]]) == [.close(1005, "")])
        #expect(readAll([[0x88, 0x00, 0x81, 0x00]]) == [.close(1005, "")])
    }

    /// The limit counts what is announced, over all fragments, and holds no memory for what is refused.
    @Test func theLimitIsExact() {
        let full = [UInt8](repeating: 1, count: 100)
        #expect(readAll([serverFrame(full, 2)], limit: 100) == [.binary(full)])
        #expect(readAll([[0x82, 101]], limit: 100) == [.failed(.tooBig(limit: 100))])
        #expect(
            readAll([[0x82, 0x7F, 0x7F, 255, 255, 255, 255, 255, 255, 255]]) == [.failed(.tooBig(limit: 1_000_000))]
        )
        let parts = serverFrame(Array(full[..<60]), 2, isLast: false)
        #expect(readAll([parts + serverFrame(Array(full[60...]), 0)], limit: 100) == [.binary(full)])
        #expect(readAll([parts + [0x80, 41]], limit: 100) == [.failed(.tooBig(limit: 100))])
        // A new message begins at nothing.
        #expect(readAll([serverFrame(full, 2) + serverFrame(full, 2)], limit: 100).count == 2)
    }

    @Test func aWholeMessageIsLentFromTheInput() {
        var reader = WebSocketFrameReader(limit: 100)
        serverFrame("quote").withUnsafeBytes { bytes in
            var rest = bytes
            guard case .text(let message) = reader.next(&rest) else {
                Issue.record("no message")
                return
            }
            #expect(message.baseAddress == bytes.baseAddress.map { $0 + 2 })
            #expect(reader.heldBytes == 0)
        }
    }

    @Test func memoryOfABigMessageIsGivenBack() {
        var reader = WebSocketFrameReader(limit: 10_000_000)
        let frame = serverFrame([UInt8](repeating: 1, count: 5_000_000), 2)
        var count = 0
        for piece in [frame[..<1_000_000], frame[1_000_000...], serverFrame([], 2)[...]] {
            Array(piece).withUnsafeBytes { bytes in
                var rest = bytes
                while reader.next(&rest) != nil { count += 1 }
            }
        }
        #expect(count == 2)
        #expect(reader.heldBytes <= 262_144)
        #expect(reader.takeCount() == 2)
        #expect(reader.takeCount() == 0)
    }
}
