package import MarketData
package import Primitives

/// One page of trade conditions (feeds.md 1.6, 2.3).
package struct ConditionPage: Hashable, Sendable {
    package struct Row: Hashable, Sendable {
        package let id: Int64
        package let name: String
        package let type: String
        package let assetClass: String
        /// `trade`, `bbo`, `nbbo`; empty where it isn't said.
        package let dataTypes: [String]
        package let isLegacy: Bool
        /// What the consolidated tape lets it update; nil where the provider has no rule.
        package let updates: Updates?
    }

    package struct Updates: Hashable, Sendable {
        package let highLow: Bool
        package let openClose: Bool
        package let volume: Bool
    }

    package let envelope: PolygonEnvelope
    package let rows: [Row]
    package let malformed: [FieldProblem]

    package init(_ body: RESTTree) throws(RESTProblem) {
        envelope = try PolygonEnvelope(body)
        (rows, malformed) = readRows(try PolygonEnvelope.rows(body)) { row throws(FieldProblem) in
            let rules = try row.object("update_rules")?.object("consolidated")
            return Row(
                id: try row.required("id", row.integer("id")),
                name: try row.text("name") ?? "",
                type: try row.text("type") ?? "",
                assetClass: try row.text("asset_class") ?? "",
                dataTypes: (row.row["data_types"]?.array ?? []).compactMap(\.string),
                isLegacy: try row.flag("legacy") ?? false,
                updates: try rules.map { rules throws(FieldProblem) in
                    Updates(
                        highLow: try rules.required("updates_high_low", rules.flag("updates_high_low")),
                        openClose: try rules.required("updates_open_close", rules.flag("updates_open_close")),
                        volume: try rules.required("updates_volume", rules.flag("updates_volume"))
                    )
                }
            )
        }
    }

    /// The rules of one kind's trade conditions; a row without a rule, and one of another kind, keeps the fallback.
    ///
    /// A legacy row gives way to a row of the same id that isn't.
    package static func rules(_ rows: [Row], _ kind: InstrumentKind) -> TradeRulesOverride {
        let assetClass = kind == .option ? "options" : "stocks"
        let wanted = rows.filter { row in
            (row.assetClass.isEmpty || row.assetClass == assetClass) && (1...254).contains(row.id)
                && (row.dataTypes.isEmpty || row.dataTypes.contains("trade"))
        }
        let ordered = wanted.filter(\.isLegacy) + wanted.filter { !$0.isLegacy }
        return TradeRulesOverride(
            kind,
            ordered.compactMap { row in
                row.updates.map { updates in
                    TradeRulesOverride.Entry(
                        id: UInt8(row.id),
                        name: row.name,
                        updatesHighLow: updates.highLow,
                        updatesLast: updates.openClose,
                        updatesVolume: updates.volume
                    )
                }
            }
        )
    }
}

/// One page of venues (feeds.md 1.7, 2.3).
package struct ExchangePage: Hashable, Sendable {
    package struct Row: Hashable, Sendable {
        package let id: Int64
        package let name: String
        package let acronym: String?
        package let mic: String?
        package let operatingMIC: String?
        package let participant: String?
        /// `exchange`, `TRF`, `SIP`.
        package let type: String
        package let assetClass: String
        package let locale: String
    }

    package let envelope: PolygonEnvelope
    package let rows: [Row]
    package let malformed: [FieldProblem]

    package init(_ body: RESTTree) throws(RESTProblem) {
        envelope = try PolygonEnvelope(body)
        (rows, malformed) = readRows(try PolygonEnvelope.rows(body)) { row throws(FieldProblem) in
            Row(
                id: try row.required("id", row.integer("id")),
                name: try row.text("name") ?? "",
                acronym: try row.text("acronym"),
                mic: try row.text("mic"),
                operatingMIC: try row.text("operating_mic"),
                participant: try row.text("participant_id"),
                type: try row.text("type") ?? "",
                assetClass: try row.text("asset_class") ?? "",
                locale: try row.text("locale") ?? ""
            )
        }
    }
}

/// Whether the markets are open, as the provider sees it.
package struct MarketStatus: Hashable, Sendable {
    package enum Word: String, Sendable {
        case open
        case closed
        case extendedHours = "extended-hours"
    }

    /// nil for a word that nobody knows.
    package let market: Word?
    package let isEarlyHours: Bool
    package let isAfterHours: Bool
    /// `nyse`, `nasdaq`, `otc`.
    package let exchanges: [String: Word]
    package let indexGroups: [String: Word]
    /// Its clock; written with New York's offset.
    package let time: Instant?

    /// It has no envelope.
    package init(_ body: RESTTree) throws(RESTProblem) {
        guard body.isObject, body["error"] == nil else {
            throw RESTProblem(.shape, PolygonREST.words(of: body) ?? "not an object")
        }
        guard body["market"]?.string != nil else { throw RESTProblem(.shape, "no market") }
        market = body["market"]?.string.flatMap { Word(rawValue: $0) }
        isEarlyHours = body["earlyHours"]?.bool ?? false
        isAfterHours = body["afterHours"]?.bool ?? false
        exchanges = Self.words(body["exchanges"])
        indexGroups = Self.words(body["indicesGroups"])
        time = body["serverTime"]?.string.flatMap { RESTTime.instant($0) }
    }

    private static func words(_ object: RESTTree?) -> [String: Word] {
        guard case .object(let members) = object else { return [:] }
        var words: [String: Word] = [:]
        for member in members { words[member.key] = member.value.string.flatMap { Word(rawValue: $0) } }
        return words
    }
}

/// The next holidays: a bare array, a row an exchange.
package struct HolidayPage: Hashable, Sendable {
    package let rows: [Holiday]
    package let malformed: [FieldProblem]

    package init(_ body: RESTTree) throws(RESTProblem) {
        guard let elements = body.array else {
            throw RESTProblem(.shape, PolygonREST.words(of: body) ?? "not an array")
        }
        (rows, malformed) = readRows(elements) { row throws(FieldProblem) in
            guard let date = RESTTime.date(try row.required("date", row.text("date"))) else {
                throw FieldProblem("date", .type)
            }
            guard let status = Holiday.Status(rawValue: try row.required("status", row.text("status"))) else {
                throw FieldProblem("status", .type)
            }
            return Holiday(
                date: date.yyyymmdd,
                exchange: try row.required("exchange", row.text("exchange")),
                name: try row.text("name") ?? "",
                status: status,
                open: try Self.time(row, "open"),
                close: try Self.time(row, "close")
            )
        }
    }

    private static func time(_ row: RowReader, _ key: String) throws(FieldProblem) -> Instant? {
        guard let text = try row.text(key) else { return nil }
        guard let time = RESTTime.instant(text) else { throw FieldProblem(key, .type) }
        return time
    }
}
