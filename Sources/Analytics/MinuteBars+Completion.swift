internal import MarketData
public import Primitives

internal import func Glibc.log

// Completion of bars, and what is computed from complete ones.
extension MinuteBars {
    /// Completes what is due at `nextBoundary`, which is the time that it is stamped with.
    ///
    /// - Precondition: a boundary is set.
    public mutating func fireNextBoundary() -> CompletedBars {
        let boundary = head.nextBoundary
        precondition(boundary != .distantFuture, "no bar is forming")
        var completed = CompletedBars(boundary: boundary)
        head.clock = max(head.clock, boundary)
        if head.pendingMinute >= 0, end(minute: head.pendingMinute) <= boundary {
            completed.minute = Int(head.pendingMinute)
            head.pendingMinute = pendingMinute(from: Int(head.pendingMinute) + 1)
        }
        if head.pendingFive >= 0, end(five: head.pendingFive) <= boundary {
            completed.five = Int(head.pendingFive)
            feedATR(through: head.pendingFive)
        }
        schedule()
        return completed
    }

    /// Completes everything due up to and including `instant`, without telling.
    public mutating func advance(to instant: Instant) {
        while nextBoundary <= instant, nextBoundary != .distantFuture { _ = fireNextBoundary() }
        head.clock = max(head.clock, instant)
    }

    /// Notes that time has come to `received`, all timers up to it having fired.
    @inlinable
    public mutating func reached(_ received: Instant) {
        if received > head.clock { head.clock = received }
    }

    private func end(minute: Int32) -> Instant { start(of: Int(minute) + 1) }

    private func end(five: Int32) -> Instant {
        head.day.open.advanced(byNanos: Int64(five + 1) * Int64(Self.fiveMinutes) * Self.minuteNanos)
    }

    private func pendingMinute(from first: Int) -> Int32 {
        var minute = first
        while minute < bars.count {
            if !bars[minute].isEmpty { return Int32(minute) }
            minute += 1
        }
        return -1
    }

    private func pendingFive(from first: Int32) -> Int32 {
        let regular = regularMinutes
        let minute = pendingMinute(from: regular.lowerBound + Int(first) * Self.fiveMinutes)
        guard regular.contains(Int(minute)) else { return -1 }
        return (minute - Int32(regular.lowerBound)) / Int32(Self.fiveMinutes)
    }

    /// Gives the ATR the windows up to and including `last`, and looks for the next with anything.
    private mutating func feedATR(through last: Int32) {
        while head.fivesSeen <= last {
            if let bar = fiveMinuteBar(Int(head.fivesSeen)), bar.isWhole {
                head.atr.add(high: bar.high, low: bar.low, close: bar.close)
            }
            head.fivesSeen += 1
        }
        head.pendingFive = pendingFive(from: head.fivesSeen)
    }

    /// Lets the five-minute window of a changed minute follow: made again if seen, seen if over, else waited for.
    mutating func settleFive(_ minute: Int, isChanged: Bool) {
        let regular = regularMinutes
        guard isChanged, regular.contains(minute) else { return }
        let window = Int32((minute - regular.lowerBound) / Self.fiveMinutes)
        if window < head.fivesSeen {
            let seen = head.fivesSeen
            head.atr = WilderATR()
            head.fivesSeen = 0
            feedATR(through: seen - 1)
        } else if end(five: window) <= head.clock {
            feedATR(through: window)
        } else if head.pendingFive < 0 || window < head.pendingFive {
            head.pendingFive = window
        }
    }

    mutating func schedule() {
        let minute = head.pendingMinute < 0 ? .distantFuture : end(minute: head.pendingMinute)
        let five = head.pendingFive < 0 ? .distantFuture : end(five: head.pendingFive)
        head.nextBoundary = min(minute, five)
    }

    /// Realised volatility √Σr², r = ln of consecutive closes of complete RTH minutes; a minute lacking high, low or
    /// close is left out.
    ///
    /// - Parameter window: how many returns count, the last ones; all if nil.
    /// - Returns: nil before the first return, or with fewer than `window`.
    /// - Complexity: O(minutes so far); for reads, not for ticks.
    public func realisedVolatility(last window: Int? = nil) -> Double? {
        var squares = 0.0
        var returns = 0
        var later: Double?
        for minute in regularMinutes.clamped(to: 0..<bars.count).reversed() {
            let bar = bars[minute]
            guard bar.isWhole, start(of: minute + 1) <= head.clock else { continue }
            let close = bar.close.dollars
            if let later {
                let r = log(later / close)
                squares += r * r
                returns += 1
                if returns == window { break }
            }
            later = close
        }
        return returns > 0 && returns >= window ?? 1 ? squares.squareRoot() : nil
    }
}

extension MinuteBars: Checkpointable {
    /// Appends the whole state.
    public func save(to writer: inout StateWriter) {
        writer.write(head)
        writer.write(bars)
    }

    /// Takes up a saved state.
    public init(restoring reader: inout StateReader) throws(StateError) {
        head = try reader.read()
        bars.reserveCapacity(Self.limit)
        bars += try reader.readArray(of: MinuteBar.self)
        guard bars.count <= Self.limit, head.pendingMinute < bars.count else {
            throw StateError(offset: 0, expected: "at most \(Self.limit) minute bars")
        }
    }
}
