internal import MarketData

/// The provider's words for trade conditions, venues and halts, as the numbers that our rules know.
enum UnusualWhalesCodes {
    /// OPRA's four-letter codes and the ids of the trade rules (feeds.md 1.6b).
    private static let conditions: [String: Int64] = [
        "canc": 201, "oseq": 202, "cncl": 203, "late": 204, "cnco": 205, "open": 206, "cnol": 207, "opnl": 208,
        "auto": 209, "reop": 210, "isoi": 219, "slan": 227, "slai": 228, "slcn": 229, "scli": 230, "slci": 230,
        "slft": 231, "mlet": 232, "mlat": 233, "mlct": 234, "mlft": 235, "mesl": 236, "tlat": 237, "masl": 238,
        "mfsl": 239, "tlet": 240, "tlct": 241, "tlft": 242, "tesl": 243, "tasl": 244, "tfsl": 245, "cbmo": 246,
        "mctp": 247, "exht": 248,
    ]

    /// An id that no rule knows: the trade was qualified by something, nobody can say by what.
    static let unknownCondition: Int64 = 255

    /// A cancel of a print that was neither the first nor the last: it subtracts like the others.
    static let cancel: Int64 = 201

    /// The id of a trade code in any case; 255 where it is unknown.
    static func condition(_ code: some Collection<UInt8>) -> Int64 {
        conditions[String(decoding: code.map { lower($0) }, as: UTF8.self)] ?? unknownCondition
    }

    /// The id of a report flag, which may be an OPRA code or a word: what cancels must never be missed.
    static func condition(reportFlag: String) -> Int64 {
        let flag = String(decoding: reportFlag.utf8.map { lower($0) }, as: UTF8.self)
        if let id = conditions[flag] { return id }
        if flag.firstRange(of: "cancel") != nil || flag.firstRange(of: "bust") != nil { return cancel }
        if flag.firstRange(of: "out_of_seq") != nil || flag.firstRange(of: "out of seq") != nil { return 202 }
        if flag.firstRange(of: "late") != nil { return 204 }
        return unknownCondition
    }

    /// Market identifier codes of the option venues and the ids that the rest of the engine uses (feeds.md 1.7).
    private static let venues: [String: UInt16] = [
        "AMXO": 300, "XBOX": 301, "XCBO": 302, "EMLD": 303, "EDGO": 304, "GMNI": 307, "XISX": 308, "MCRY": 309,
        "XMIO": 312, "ARCO": 313, "OPRA": 314, "MPRL": 315, "XNDQ": 316, "XBXO": 319, "C2OX": 322, "XPHO": 323,
        "BATO": 325,
    ]

    /// A venue's id, 0 where it is unknown.
    static func venue(_ code: some Collection<UInt8>) -> UInt16 { venues[String(decoding: code, as: UTF8.self)] ?? 0 }

    /// Whether a state's word says that trading is halted; nil where it says neither.
    static func isHalted(_ state: String) -> Bool? {
        let word = String(decoding: state.utf8.map { lower($0) }, as: UTF8.self)
        func has(_ parts: String...) -> Bool { parts.contains { word.firstRange(of: $0) != nil } }
        if has("resum", "unhalt", "lift", "release", "ended") { return false }
        if has("halt", "pause", "suspend") || word == "h" { return true }
        return ["trading", "active", "open", "normal"].contains(word) ? false : nil
    }

    private static func lower(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}
