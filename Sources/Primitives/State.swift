/// Writes the state of a pure value for a checkpoint: fields in order, fixed width, no tags.
///
/// The blob as a whole carries a version and a checksum (Journal); a state of another layout is never read back, it is
/// made again from the tape.
public struct StateWriter: ~Copyable {
    /// What was written so far.
    public private(set) var bytes: [UInt8] = []

    /// An empty blob.
    public init() {}

    /// Appends the memory of a trivial value.
    public mutating func write<Value: BitwiseCopyable>(_ value: Value) {
        withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
    }

    /// Appends a count and the memory of each element.
    public mutating func write<Element: BitwiseCopyable>(_ values: [Element]) {
        write(Int64(values.count))
        values.withUnsafeBytes { bytes.append(contentsOf: $0) }
    }

    /// Appends a count and the text's UTF-8.
    public mutating func write(_ text: String) {
        write(Array(text.utf8))
    }

    /// The finished blob.
    public consuming func finish() -> [UInt8] { bytes }
}

/// A checkpoint that can't be read: cut short, or of another layout.
public struct StateError: Error, Equatable, CustomStringConvertible {
    /// Where in the blob.
    public let offset: Int
    /// What should have stood there.
    public let expected: String

    /// A refusal of the blob at `offset`.
    public init(offset: Int, expected: String) {
        self.offset = offset
        self.expected = expected
    }

    /// For the log.
    public var description: String { "state damaged at byte \(offset): expected \(expected)" }
}

/// Reads what `StateWriter` wrote, in the same order; every length is checked against what is left.
///
/// Only for blobs whose checksum was verified: the memory of an enum is taken as it is.
public struct StateReader: ~Copyable {
    private let bytes: [UInt8]
    private var offset = 0

    /// Reads from the first byte.
    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Bytes not yet read.
    public var remaining: Int { bytes.count - offset }

    /// Reads the memory of a trivial value.
    ///
    /// - Throws: `StateError` where fewer bytes are left.
    public mutating func read<Value: BitwiseCopyable>(_ type: Value.Type = Value.self) throws(StateError) -> Value {
        let size = MemoryLayout<Value>.size
        guard remaining >= size else { throw StateError(offset: offset, expected: "\(size) bytes of \(type)") }
        let value = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Value.self) }
        offset += size
        return value
    }

    /// Reads a count and as many elements.
    ///
    /// - Throws: `StateError` where the count is negative or more than what is left holds.
    public mutating func readArray<Element: BitwiseCopyable>(
        of type: Element.Type = Element.self
    ) throws(StateError) -> [Element] {
        let count = try read(Int64.self)
        let stride = MemoryLayout<Element>.stride
        guard count >= 0, count <= Int64(remaining / stride) else {
            throw StateError(offset: offset, expected: "\(count) elements of \(type)")
        }
        let start = offset
        let values = [Element](unsafeUninitializedCapacity: Int(count)) { buffer, initialized in
            bytes.withUnsafeBytes { source in
                UnsafeMutableRawBufferPointer(buffer).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: source[start..<(start + Int(count) * stride)])
                )
            }
            initialized = Int(count)
        }
        offset += Int(count) * stride
        return values
    }

    /// Reads a count and as many bytes of UTF-8.
    ///
    /// - Throws: `StateError` as `readArray(of:)`.
    public mutating func readString() throws(StateError) -> String {
        String(decoding: try readArray(of: UInt8.self), as: UTF8.self)
    }
}

/// A state that can be kept in a checkpoint and taken up again.
public protocol Checkpointable {
    /// Appends the whole state.
    func save(to writer: inout StateWriter)
    /// Takes up a saved state.
    init(restoring reader: inout StateReader) throws(StateError)
}
