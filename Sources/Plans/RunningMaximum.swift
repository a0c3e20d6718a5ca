import Primitives

/// The highest value since each of many starts, kept in one place for all.
///
/// A stack of starts whose maxima fall from bottom to top: a new high swallows all starts that it exceeds, because they
/// share their maximum from then on. So a value costs amortised O(1), and there are at most as many elements as starts
/// (monotonic stack).
struct RunningMaximum {
    private struct Element: BitwiseCopyable {
        /// The earliest start that shares this maximum.
        var start: UInt64
        var value: Int64
        /// Starts between this one and the next element's that are still wanted.
        var live: UInt32
    }

    private var elements: [Element] = []
    /// Elements that nobody wants any more.
    private var dead = 0

    /// Elements held, for tests.
    var count: Int { elements.count }

    /// The value above which `record` has something to do; `Int64.max` with no start.
    var threshold: Int64 { elements.last.map { $0.value } ?? .max }

    /// Begins a maximum over what is recorded from now on.
    mutating func open(at start: UInt64) {
        if let last = elements.last, last.start == start {
            if last.live == 0 { dead -= 1 }
            elements[elements.count - 1].live += 1
        } else {
            elements.append(Element(start: start, value: Sample.unconfirmedUp, live: 1))
        }
    }

    /// Takes a value that came after all starts.
    mutating func record(_ value: Int64) {
        guard let last = elements.last, last.value < value else { return }
        var merged = Element(start: last.start, value: value, live: 0)
        while let top = elements.last, top.value <= value {
            merged.start = top.start
            merged.live += top.live
            if top.live == 0 { dead -= 1 }
            elements.removeLast()
        }
        if merged.live > 0 { elements.append(merged) }
    }

    /// The highest value since `start`; nil where none was recorded.
    ///
    /// - Complexity: O(log n).
    func highest(since start: UInt64) -> Int64? {
        let value = elements[position(of: start)].value
        return value == Sample.unconfirmedUp ? nil : value
    }

    /// Ends the maximum that was begun at `start`, and returns it.
    mutating func close(_ start: UInt64) -> Int64? {
        let index = position(of: start)
        let value = elements[index].value
        elements[index].live -= 1
        if elements[index].live == 0 {
            dead += 1
            dropDead()
        }
        return value == Sample.unconfirmedUp ? nil : value
    }

    private mutating func dropDead() {
        while let last = elements.last, last.live == 0 {
            elements.removeLast()
            dead -= 1
        }
        guard dead > 32, dead * 2 > elements.count else { return }
        elements.removeAll { $0.live == 0 }
        dead = 0
    }

    /// The element that holds `start`.
    private func position(of start: UInt64) -> Int {
        var low = 0
        var high = elements.count
        while low < high {
            let middle = (low + high) / 2
            if elements[middle].start <= start { low = middle + 1 } else { high = middle }
        }
        guard low > 0 else { preconditionFailure("no running maximum since \(start)") }
        return low - 1
    }
}

extension RunningMaximum: Checkpointable {
    func save(to writer: inout StateWriter) {
        writer.write(elements)
        writer.write(Int64(dead))
    }

    init(restoring reader: inout StateReader) throws(StateError) {
        elements = try reader.readArray()
        dead = Int(try reader.read(Int64.self))
    }
}
