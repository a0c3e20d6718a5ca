import Primitives

/// A run of elements in a `Pool`.
struct PoolRange: BitwiseCopyable {
    var start: UInt32 = 0
    var count: UInt8 = 0

    var indices: Range<Int> { Int(start)..<(Int(start) + Int(count)) }
}

/// Short runs of trivial elements end to end, freed runs reused by their length.
struct Pool<Element: BitwiseCopyable & Sendable> {
    private(set) var elements: [Element] = []
    /// Starts of free runs, by length.
    private var free: [[UInt32]] = []

    subscript(range: PoolRange) -> ArraySlice<Element> { elements[range.indices] }

    /// Puts a run of at most 255.
    mutating func insert(_ run: some Collection<Element>) -> PoolRange {
        let count = run.count
        guard count <= 255 else { preconditionFailure("a run of \(count) in a pool") }
        if count < free.count, let start = free[count].popLast() {
            let range = PoolRange(start: start, count: UInt8(count))
            elements.replaceSubrange(range.indices, with: run)
            return range
        }
        let start = elements.count
        if start + count > elements.capacity { elements.reserveCapacity(start + count + start / 4 + 16) }
        elements.append(contentsOf: run)
        return PoolRange(start: UInt32(start), count: UInt8(count))
    }

    mutating func remove(_ range: PoolRange) {
        guard range.count > 0 else { return }
        while free.count <= Int(range.count) { free.append([]) }
        free[Int(range.count)].append(range.start)
    }
}

extension Pool: Checkpointable {
    func save(to writer: inout StateWriter) {
        writer.write(elements)
        writer.write(Int64(free.count))
        for starts in free { writer.write(starts) }
    }

    init(restoring reader: inout StateReader) throws(StateError) {
        elements = try reader.readArray()
        for _ in 0..<(try reader.read(Int64.self)) { free.append(try reader.readArray()) }
    }
}

/// A growing array in chunks, so that a million elements grow without a copy of all.
struct Chunked<Element: BitwiseCopyable & Sendable> {
    private static var shift: Int { 10 }
    private static var mask: Int { (1 << shift) - 1 }

    private var chunks: [[Element]] = []
    private(set) var count = 0

    subscript(index: Int) -> Element {
        get { chunks[index >> Self.shift][index & Self.mask] }
        set { chunks[index >> Self.shift][index & Self.mask] = newValue }
        _modify { yield &chunks[index >> Self.shift][index & Self.mask] }
    }

    mutating func append(_ element: Element) {
        if count & Self.mask == 0 { chunks.append([]) }
        chunks[chunks.count - 1].append(element)
        count += 1
    }
}

extension Chunked: Checkpointable {
    func save(to writer: inout StateWriter) {
        writer.write(Int64(count))
        for chunk in chunks { writer.write(chunk) }
    }

    init(restoring reader: inout StateReader) throws(StateError) {
        count = Int(try reader.read(Int64.self))
        for _ in 0..<((count + Self.mask) >> Self.shift) { chunks.append(try reader.readArray()) }
    }
}

/// Texts that many plans share, each kept once; index 0 is the empty text and stands for none.
struct SharedTexts {
    private var texts: [String] = [""]
    private var indices: [String: UInt32] = [:]

    subscript(index: UInt32) -> String { texts[Int(index)] }

    mutating func intern(_ text: String) -> UInt32 {
        if let known = indices[text] { return known }
        let index = UInt32(texts.count)
        texts.append(text)
        indices[text] = index
        return index
    }

    /// The index of a text that is known.
    func index(of text: String) -> UInt32? { indices[text] }
}

extension SharedTexts: Checkpointable {
    func save(to writer: inout StateWriter) {
        writer.write(Int64(texts.count))
        for text in texts { writer.write(text) }
    }

    init(restoring reader: inout StateReader) throws(StateError) {
        texts = []
        for index in 0..<(try reader.read(Int64.self)) {
            let text = try reader.readString()
            texts.append(text)
            if index > 0 { indices[text] = UInt32(index) }
        }
    }
}

/// Texts that belong to one plan each (rationales); index 0 stands for none.
struct OwnTexts {
    private var texts: [String] = [""]
    private var free: [UInt32] = []

    subscript(index: UInt32) -> String { texts[Int(index)] }

    mutating func insert(_ text: String) -> UInt32 {
        if let index = free.popLast() {
            texts[Int(index)] = text
            return index
        }
        texts.append(text)
        return UInt32(texts.count - 1)
    }

    mutating func remove(_ index: UInt32) {
        guard index != 0 else { return }
        texts[Int(index)] = ""
        free.append(index)
    }
}

extension OwnTexts: Checkpointable {
    func save(to writer: inout StateWriter) {
        writer.write(Int64(texts.count))
        for text in texts { writer.write(text) }
        writer.write(free)
    }

    init(restoring reader: inout StateReader) throws(StateError) {
        texts = []
        for _ in 0..<(try reader.read(Int64.self)) { texts.append(try reader.readString()) }
        free = try reader.readArray()
    }
}
