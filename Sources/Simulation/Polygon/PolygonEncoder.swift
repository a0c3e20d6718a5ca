internal import MarketData
internal import Primitives

/// Writes the model's events as the vendor's WebSocket does (feeds.md 1.5), with the moods that change a text.
///
/// Pure. One object at a time, so that a session can choose; the caller joins them to frames.
struct PolygonEncoder {
    let instruments: ModelInstruments
    /// Clock skew, nanoseconds added to event times.
    var skewNanos: Int64 = 0
    var moods = MoodSet()
    /// Counts objects, so that a mood can strike every so many.
    private(set) var count = 0

    init(instruments: ModelInstruments) { self.instruments = instruments }

    /// The cluster and channel that tell an event; nil where none does.
    func place(of event: ModelEvent) -> (market: PolygonMarket, channel: PolygonChannelName, symbol: Int32)? {
        func market(_ symbol: Int32) -> PolygonMarket { PolygonMarket(instruments.all[Int(symbol)].kind) }
        switch event {
        case .quote(let quote): return (market(quote.symbol), .quote, quote.symbol)
        case .trade(let trade): return (market(trade.symbol), .trade, trade.symbol)
        case .index(let value): return (.indices, .value, value.symbol)
        case .bar(let bar): return (market(bar.symbol), bar.seconds == 1 ? .second : .minute, bar.symbol)
        case .band(let band): return (.stocks, .band, band.symbol)
        case .alert, .halt: return nil
        }
    }

    /// Appends the event's object; nothing for what the vendor doesn't tell.
    mutating func append(_ event: ModelEvent, to out: inout [UInt8]) {
        guard place(of: event) != nil else { return }
        count += 1
        if !moods.isEmpty, strike(event, &out) { return }
        switch event {
        case .quote(let quote): append(quote, &out)
        case .trade(let trade): append(trade, &out)
        case .index(let value):
            out.add(#"{"ev":"V","val":"#)
            out.add(value.value)
            out.add(#","T":""#)
            out += instruments.all[Int(value.symbol)].bytes
            out.add(#"","t":"#)
            out.add(millis(value.time))
            out.add("}")
        case .bar(let bar): append(bar, &out)
        case .band(let band): append(band, &out)
        case .alert, .halt: return
        }
    }

    private func millis(_ time: Instant) -> Int64 { (time.nanos &+ skewNanos) / 1_000_000 }

    private func append(_ quote: ModelQuote, _ out: inout [UInt8]) {
        let instrument = instruments.all[Int(quote.symbol)]
        out.add(#"{"ev":"Q","sym":""#)
        out += instrument.bytes
        out.add("\"")
        // An empty side has none of its fields.
        if quote.bid.micros > 0 || instrument.kind == .option {
            out.add(#","bx":"#)
            out.add(quote.bidExchange)
            out.add(#","bp":"#)
            out.add(quote.bid)
            out.add(#","bs":"#)
            out.add(quote.bidSize)
        }
        if quote.ask.micros > 0 {
            out.add(#","ax":"#)
            out.add(quote.askExchange)
            out.add(#","ap":"#)
            out.add(quote.ask)
            out.add(#","as":"#)
            out.add(quote.askSize)
        }
        if instrument.kind == .stock { out.add(#","c":0"#) }
        out.add(#","t":"#)
        out.add(millis(quote.time))
        out.add(#","q":"#)
        out.add(quote.sequence)
        if instrument.kind == .stock { out.add(#","z":2"#) }
        out.add("}")
    }

    private func append(_ trade: ModelTrade, _ out: inout [UInt8]) {
        let instrument = instruments.all[Int(trade.symbol)]
        let isStock = instrument.kind == .stock
        out.add(#"{"ev":"T","sym":""#)
        out += instrument.bytes
        out.add(#"","x":"#)
        out.add(trade.exchange)
        if isStock {
            out.add(#","i":""#)
            out.add(trade.id)
            out.add(#"","z":2"#)
        }
        out.add(#","p":"#)
        out.add(trade.price)
        out.add(#","s":"#)
        out.add(trade.size.micros / 1_000_000)
        if isStock {
            out.add(#","ds":""#)
            out.addDecimalSize(trade.size)
            out.add("\"")
        }
        appendConditions(trade.conditions, &out)
        out.add(#","t":"#)
        out.add(millis(trade.time))
        out.add(#","q":"#)
        out.add(trade.sequence)
        if trade.isOffExchange {
            out.add(#","trfi":202,"trft":"#)
            out.add(millis(trade.time) - 3)
        }
        out.add("}")
    }

    private func appendConditions(_ conditions: Conditions, _ out: inout [UInt8]) {
        guard !conditions.isEmpty else { return }
        out.add(#","c":["#)
        var rest = conditions.packed
        while rest != 0 {
            out.add(rest & 0xFF)
            rest >>= 8
            if rest != 0 { out.add(",") }
        }
        out.add("]")
    }

    private func append(_ bar: ModelBar, _ out: inout [UInt8]) {
        let instrument = instruments.all[Int(bar.symbol)]
        if bar.seconds == 1 { out.add(#"{"ev":"A","sym":""#) } else { out.add(#"{"ev":"AM","sym":""#) }
        out += instrument.bytes
        out.add("\"")
        if instrument.kind != .index { appendVolume(bar, isStock: instrument.kind == .stock, &out) }
        if bar.dayOpen.micros > 0 {
            out.add(#","op":"#)
            out.add(bar.dayOpen)
        }
        for (key, price) in [
            (#","o":"# as StaticString, bar.open), (#","c":"#, bar.close), (#","h":"#, bar.high), (#","l":"#, bar.low),
        ] {
            out.add(key)
            out.add(price)
        }
        out.add(#","s":"#)
        out.add(millis(bar.start))
        out.add(#","e":"#)
        out.add(millis(bar.end))
        out.add("}")
    }

    private func appendVolume(_ bar: ModelBar, isStock: Bool, _ out: inout [UInt8]) {
        out.add(#","v":"#)
        out.add(bar.volume.micros / 1_000_000)
        if isStock {
            out.add(#","dv":""#)
            out.addDecimalSize(bar.volume)
            out.add("\"")
        }
        out.add(#","av":"#)
        out.add(bar.dayVolume.micros / 1_000_000)
        if isStock {
            out.add(#","dav":""#)
            out.addDecimalSize(bar.dayVolume)
            out.add("\"")
        }
        out.add(#","vw":"#)
        out.add(bar.vwap, places: 4)
        out.add(#","a":"#)
        out.add(bar.dayVWAP, places: 4)
        out.add(#","z":"#)
        out.add(bar.trades > 0 ? bar.volume.micros / 1_000_000 / Int64(bar.trades) : 0)
    }

    private func append(_ band: ModelBand, _ out: inout [UInt8]) {
        out.add(#"{"ev":"LULD","T":""#)
        out += instruments.all[Int(band.symbol)].bytes
        out.add(#"","h":"#)
        out.add(band.upper)
        out.add(#","l":"#)
        out.add(band.lower)
        out.add(#","i":["#)
        out.add(band.indicator)
        // On the wire in nanoseconds, whatever the prose says.
        out.add(#"],"z":2,"t":"#)
        out.add(band.time.nanos &+ skewNanos)
        out.add(#","q":"#)
        out.add(band.sequence)
        out.add("}")
    }

    // MARK: Moods

    /// Writes the event as a mood has it; false where it stays as it is.
    private mutating func strike(_ event: ModelEvent, _ out: inout [UInt8]) -> Bool {
        if moods.contains(.unknownEvents), count % 17 == 0 {
            out.add(#"{"ev":"ZZ","unknown":{"a":[1,2,{"b":null}]}},"#)
        }
        if moods.contains(.malformedElements), count % 23 == 0 {
            out.add(#"{"ev":"T","sym":"SPY","x":4,"p":"n/a","s":{},"t":1,"q":1},"#)
        }
        let wantsForms = moods.contains(.numberForms)
        let wantsEmpty = moods.contains(.emptyStrings) && count % 19 == 0
        guard wantsForms || wantsEmpty else {
            if count % 13 == 0, moods.contains(.duplicates) || moods.contains(.backward) {
                return repeated(event, &out)
            }
            return false
        }
        var plain: [UInt8] = []
        var bare = self
        bare.moods = MoodSet()
        bare.append(event, to: &plain)
        guard !plain.isEmpty else { return true }
        if wantsEmpty { plain = NumberForms.emptied(plain) }
        out += wantsForms ? NumberForms.rewritten(plain, number: count) : plain
        return true
    }

    /// The event and then the same again, or one with a number before it.
    private func repeated(_ event: ModelEvent, _ out: inout [UInt8]) -> Bool {
        var bare = self
        bare.moods = MoodSet()
        bare.append(event, to: &out)
        guard moods.contains(.duplicates) || moods.contains(.backward) else { return true }
        out.add(",")
        switch event {
        case .quote(var quote) where moods.contains(.backward):
            quote.sequence -= 5
            quote.time = quote.time.advanced(byNanos: -7_000_000)
            bare.append(.quote(quote), to: &out)
        default: bare.append(event, to: &out)
        }
        return true
    }
}

/// Numbers in other forms that mean the same: text, doubles where integers stand, exponents.
enum NumberForms {
    /// Rewrites one number of a flat object: which, and how, depends on `number`.
    static func rewritten(_ object: [UInt8], number: Int) -> [UInt8] {
        let places = numbers(object)
        guard !places.isEmpty else { return object }
        let place = places[number % places.count]
        let text = Array(object[place])
        let form: [UInt8]
        switch number % 3 {
        case 0: form = [0x22] + text + [0x22]
        case 1: form = text.contains(0x2E) ? text + [0x30] : text + Array(".0".utf8)
        default: form = text + Array((text.contains(0x2E) ? "0e0" : "E+0").utf8)
        }
        return Array(object[..<place.lowerBound]) + form + Array(object[place.upperBound...])
    }

    /// The object with its first decimal number an empty text.
    static func emptied(_ object: [UInt8]) -> [UInt8] {
        guard let place = numbers(object).dropFirst().first else { return object }
        return Array(object[..<place.lowerBound]) + [0x22, 0x22] + Array(object[place.upperBound...])
    }

    /// Where the numbers that are members' values stand.
    private static func numbers(_ object: [UInt8]) -> [Range<Int>] {
        var places: [Range<Int>] = []
        var offset = 0
        var isText = false
        while offset < object.count {
            if object[offset] == 0x22 { isText.toggle() }
            let isStart = !isText && object[offset] == 0x3A && offset + 1 < object.count
            if isStart, (0x30...0x39).contains(object[offset + 1]) {
                var end = offset + 1
                while end < object.count, object[end] == 0x2E || (0x30...0x39).contains(object[end]) { end += 1 }
                places.append(offset + 1..<end)
                offset = end
            } else {
                offset += 1
            }
        }
        return places
    }
}
