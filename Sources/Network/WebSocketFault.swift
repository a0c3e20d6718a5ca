/// What a server's frames may not be (RFC 6455); each ends the connection.
enum WebSocketFault: Equatable {
    case reservedBits
    case unknownOpcode(UInt8)
    case masked
    case fragmentedControl
    case longControl
    /// Not in the shortest form, or above 2⁶³.
    case badLength
    case nothingToContinue
    case unfinishedMessage
    /// Above our limit, whatever the protocol would allow.
    case tooBig(limit: Int)
    case badText
    case badCloseFrame
    case badCloseCode(UInt16)
    case badCloseReason

    /// The code of our close frame.
    var code: UInt16 {
        switch self {
        case .tooBig: 1009
        case .badText, .badCloseReason: 1007
        case .reservedBits, .unknownOpcode, .masked, .fragmentedControl, .longControl, .badLength, .nothingToContinue,
            .unfinishedMessage, .badCloseFrame, .badCloseCode:
            1002
        }
    }

    /// The reason of our close frame; below 123 bytes.
    var words: String {
        switch self {
        case .reservedBits: "reserved bits without an extension"
        case .unknownOpcode(let opcode): "unknown opcode \(opcode)"
        case .masked: "a server's frame is masked"
        case .fragmentedControl: "a control frame is fragmented"
        case .longControl: "a control frame above 125 bytes"
        case .badLength: "a length that isn't in the shortest form"
        case .nothingToContinue: "a continuation of nothing"
        case .unfinishedMessage: "a message began before the last one ended"
        case .tooBig(let limit): "message above \(limit) bytes"
        case .badText: "text is not UTF-8"
        case .badCloseFrame: "a close frame of one byte"
        case .badCloseCode(let code): "close code \(code) may not be sent"
        case .badCloseReason: "a close reason is not UTF-8"
        }
    }
}

/// Close codes of RFC 6455, 7.4, and of its registry.
enum WebSocketCloseCode {
    /// Stands for a close frame without a code; never sent.
    static let none: UInt16 = 1005
    /// Stands for an end without a close frame; never sent.
    static let lost: UInt16 = 1006

    /// Whether a close frame may carry it: the registered ones (1012 to 1014 came after the RFC), and 3000 to 4999.
    static func isSendable(_ code: UInt16) -> Bool {
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }
}
