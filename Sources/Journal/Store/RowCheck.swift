internal import Primitives
internal import Wire

/// The checksum of one row: SQLite notices a broken page, not a flipped bit inside a value.
///
/// The first eight bytes of SHA-256 over the row's values, each text and blob with its length before it.
struct RowCheck: ~Copyable {
    private var buffer: [UInt8] = []
    private var hash = SHA256()

    init() { buffer.reserveCapacity(512) }

    mutating func add(_ value: Int64) {
        withUnsafeBytes(of: value.littleEndian) { buffer.append(contentsOf: $0) }
    }

    mutating func add(_ text: String) {
        add(Int64(text.utf8.count))
        buffer.append(contentsOf: text.utf8)
    }

    mutating func add(_ bytes: [UInt8]) {
        add(Int64(bytes.count))
        buffer.append(contentsOf: bytes)
    }

    mutating func finish() -> Int64 {
        hash.update(buffer)
        buffer.removeAll(keepingCapacity: true)
        return hash.finishAndRestart().withUnsafeBytes { Int64(littleEndian: $0.loadUnaligned(as: Int64.self)) }
    }

    mutating func of(_ message: StoredMessage) -> Int64 {
        add(message.channel.name)
        add(message.offset)
        add(message.epoch)
        add(message.n)
        add(Int64(message.index))
        add(message.type.name)
        add(message.time.nanos)
        add(message.partitionSequence)
        add(message.bytes)
        return finish()
    }

    mutating func of(_ plan: StoredPlan) -> Int64 {
        add(plan.id)
        add(plan.owner)
        add(plan.symbol)
        add(plan.state)
        add(plan.version)
        add(plan.offset)
        add(plan.n)
        add(plan.time.nanos)
        add(plan.snapshot)
        return finish()
    }

    mutating func of(_ name: String, _ value: Int64, _ second: Int64 = 0) -> Int64 {
        add(name)
        add(value)
        add(second)
        return finish()
    }
}
