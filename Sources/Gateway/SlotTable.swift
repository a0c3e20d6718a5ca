/// Values in numbered places that are used again, each use with a new generation.
struct SlotTable<Value> {
    private var values: [Value?] = []
    private var generations: [UInt32] = []
    private var free: [Int32] = []

    var count: Int { values.count - free.count }

    /// The places in use.
    var indices: [Int32] { values.indices.filter { values[$0] != nil }.map { Int32($0) } }

    mutating func insert(_ value: Value) -> (index: Int32, generation: UInt32) {
        if let index = free.popLast() {
            values[Int(index)] = value
            return (index, generations[Int(index)])
        }
        values.append(value)
        generations.append(0)
        return (Int32(values.count - 1), 0)
    }

    mutating func remove(_ index: Int32) {
        guard values[Int(index)] != nil else { preconditionFailure("slot \(index) removed while empty") }
        values[Int(index)] = nil
        generations[Int(index)] &+= 1
        free.append(index)
    }

    func generation(of index: Int32) -> UInt32 { generations[Int(index)] }

    /// The value of a place that is in use.
    subscript(index: Int32) -> Value {
        _read {
            guard values[Int(index)] != nil else { preconditionFailure("slot \(index) read while empty") }
            yield values[Int(index)].unsafelyUnwrapped
        }
        _modify {
            guard var value = values[Int(index)].take() else {
                preconditionFailure("slot \(index) changed while empty")
            }
            defer { values[Int(index)] = consume value }
            yield &value
        }
    }

    /// The value if the place still holds that generation.
    subscript(index: Int32, generation: UInt32) -> Value? {
        guard values.indices.contains(Int(index)), generations[Int(index)] == generation else { return nil }
        return values[Int(index)]
    }
}
