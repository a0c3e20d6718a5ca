/// Follows an answer's pages: which request comes next, and when it is enough.
///
/// Pure. A link gives path and query only, and is followed only where it names the host that was asked.
package struct PageWalk: Sendable {
    /// What to do after a page.
    package enum Step: Hashable, Sendable {
        case finished
        case follow(RESTRequest)
        /// More would be there; the limit says enough.
        case capped
        /// The link leads elsewhere, or back: the key must not go there.
        case refused(String)
    }

    private let base: RESTBase
    private let pagesMax: Int
    private let rowsMax: Int
    private var seen: Set<String>
    /// Pages so far.
    package private(set) var pages = 0
    /// Rows so far.
    package private(set) var rows = 0
    private let entitlement: String

    package init(_ first: RESTRequest, base: RESTBase, pagesMax: Int = 100, rowsMax: Int = 500_000) {
        self.base = base
        self.pagesMax = pagesMax
        self.rowsMax = rowsMax
        entitlement = first.entitlement
        seen = [first.target]
    }

    /// A page came with so many rows and this link; the link carries all parameters, so none is added.
    package mutating func received(rows count: Int, link: String?) -> Step {
        pages += 1
        rows += count
        guard let link, !link.isEmpty else { return .finished }
        guard pages < pagesMax, rows < rowsMax else { return .capped }
        guard let next = base.request(following: link, entitlement: entitlement) else {
            return .refused("a link to another place than \(base)")
        }
        // A cursor that stands still would be followed for ever.
        guard seen.insert(next.target).inserted else { return .refused("a link to a page that was read") }
        return .follow(next)
    }
}

/// The pages of an answer as one text.
package enum RESTPages {
    /// Joins the elements of `results` of all pages behind the other members of the first, on one line.
    ///
    /// Numbers stay as they were written. `next_url` and the counts, which were the single pages', are left out. One page
    /// alone keeps its members, but for line breaks between them.
    ///
    /// - Returns: nil where a page isn't a JSON object with `results` as array or without, or there is none.
    package static func joined(_ pages: [[UInt8]]) -> [UInt8]? {
        guard let first = pages.first else { return nil }
        if pages.count == 1 { return RESTTree(first) == nil ? nil : oneLine(first) }
        var out: [UInt8] = [UInt8(ascii: "{")]
        guard let head = members(first) else { return nil }
        for member in head where !single.contains(member.key) {
            out.append(UInt8(ascii: "\""))
            out += member.rawKey
            out += Array("\":".utf8) + oneLine(member.raw) + [UInt8(ascii: ",")]
        }
        out += Array(#""results":["#.utf8)
        var isFirst = true
        for page in pages {
            guard let found = members(page) else { return nil }
            guard let results = found.last(where: { $0.key == "results" })?.raw else { continue }
            guard results.first == UInt8(ascii: "["), results.last == UInt8(ascii: "]") else { return nil }
            let rows = oneLine(Array(results.dropFirst().dropLast()))
            guard !rows.isEmpty else { continue }
            if !isFirst { out.append(UInt8(ascii: ",")) }
            isFirst = false
            out += rows
        }
        out += Array("]}".utf8)
        return out
    }

    private static let single: Set<String> = ["results", "next_url", "queryCount", "resultsCount", "count"]

    private struct Member {
        let key: String
        let rawKey: [UInt8]
        let raw: [UInt8]
    }

    /// The members of the outermost object with their own texts; nil where it is none.
    private static func members(_ page: [UInt8]) -> [Member]? {
        guard let tree = RESTTree(page), tree.isObject else { return nil }
        return page.withUnsafeBytes { bytes in
            var scan = GeneralScan(bytes: bytes, index: 0)
            var members: [Member] = []
            scan.skipSpace()
            scan.index += 1
            scan.skipSpace()
            while scan.current == UInt8(ascii: "\""), let key = scan.readValue(depth: 1) {
                scan.skipSpace()
                scan.index += 1
                scan.skipSpace()
                let start = scan.index
                guard scan.readValue(depth: 1) != nil else { return nil }
                let rawKey = Array(bytes[key.start..<key.end])
                let text = String(decoding: rawKey, as: UTF8.self)
                members.append(Member(key: text, rawKey: rawKey, raw: Array(bytes[start..<scan.index])))
                scan.skipSpace()
                scan.index += 1
                scan.skipSpace()
            }
            return members
        }
    }

    /// The text without white space between its tokens: a tape line has none to spare.
    static func oneLine(_ text: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(text.count)
        var isText = false
        var isEscaped = false
        for byte in text {
            if isText {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isText = false
                }
            } else if byte == UInt8(ascii: "\"") {
                isText = true
            } else if byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D {
                continue
            }
            out.append(byte)
        }
        return out
    }
}
