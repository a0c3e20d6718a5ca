/// Values in numbered places that are used again, each use with a new generation.
struct SlotTable<Value> {
    private var values: [Value] = []
    private var isUsed: [Bool] = []
    private var generations: [UInt32] = []
    private var free: [Int32] = []
    /// What stands in a free place.
    private let empty: Value

    init(empty: Value) { self.empty = empty }

    var count: Int { values.count - free.count }

    /// The places in use.
    var indices: [Int32] { values.indices.filter { isUsed[$0] }.map { Int32($0) } }

    mutating func insert(_ value: Value) -> (index: Int32, generation: UInt32) {
        if let index = free.popLast() {
            values[Int(index)] = value
            isUsed[Int(index)] = true
            return (index, generations[Int(index)])
        }
        values.append(value)
        isUsed.append(true)
        generations.append(0)
        return (Int32(values.count - 1), 0)
    }

    mutating func remove(_ index: Int32) {
        check(index)
        values[Int(index)] = empty
        isUsed[Int(index)] = false
        generations[Int(index)] &+= 1
        free.append(index)
    }

    func generation(of index: Int32) -> UInt32 { generations[Int(index)] }

    /// The value of a place that is in use.
    subscript(index: Int32) -> Value {
        _read {
            check(index)
            yield values[Int(index)]
        }
        _modify {
            check(index)
            yield &values[Int(index)]
        }
    }

    /// The value if the place still holds that generation.
    subscript(index: Int32, generation: UInt32) -> Value? {
        guard isUsed.indices.contains(Int(index)), isUsed[Int(index)], generations[Int(index)] == generation else {
            return nil
        }
        return values[Int(index)]
    }

    private func check(_ index: Int32) {
        guard isUsed[Int(index)] else { preconditionFailure("slot \(index) used while free") }
    }
}
