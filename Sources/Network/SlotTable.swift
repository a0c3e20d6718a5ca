/// A handle into a `SlotTable`: an index and the generation of its slot, never 0.
///
/// C code keeps it in place of a pointer: a stale one finds nothing instead of freed memory.
@frozen
package struct SlotHandle: Hashable, Sendable {
    package let bits: UInt

    /// The slot's dense index; used again by a later generation.
    package var index: Int { Int(bits & 0xFFFF_FFFF) - 1 }

    var generation: UInt32 { UInt32(truncatingIfNeeded: bits >> 32) }

    init?(bits: UInt) {
        guard bits & 0xFFFF_FFFF != 0 else { return nil }
        self.bits = bits
    }

    init(index: Int, generation: UInt32) { bits = UInt(generation) << 32 | UInt(index + 1) }
}

/// Values behind handles, with free slots used again.
struct SlotTable<Value> {
    private struct Slot {
        var generation: UInt32 = 0
        var value: Value?
    }

    private var slots: [Slot] = []
    private var free: [Int] = []

    /// Slots in use.
    var count: Int { slots.count - free.count }

    mutating func insert(_ value: Value) -> SlotHandle {
        let index: Int
        if let last = free.popLast() {
            index = last
        } else {
            index = slots.count
            slots.append(Slot())
        }
        slots[index].value = value
        return SlotHandle(index: index, generation: slots[index].generation)
    }

    /// The value of a handle, nil for a stale one.
    subscript(handle: SlotHandle) -> Value? {
        guard slots.indices.contains(handle.index), slots[handle.index].generation == handle.generation else {
            return nil
        }
        return slots[handle.index].value
    }

    @discardableResult
    mutating func remove(_ handle: SlotHandle) -> Value? {
        guard let value = self[handle] else { return nil }
        slots[handle.index].value = nil
        slots[handle.index].generation &+= 1
        free.append(handle.index)
        return value
    }

    /// All values in use, in slot order; a copy, so that a visitor may change the table.
    var values: [Value] { slots.compactMap(\.value) }
}
