package import MarketData
package import Primitives

// What a restart needs of the connection that was open: its changes rest on quotes that came before.
extension BridgeDecoder {
    /// Appends the quotes and the place in the sequence; depth is left out, since no event is made of it.
    package borrowing func save(to writer: inout StateWriter) {
        reader.save(to: &writer)
        writer.write(Int64(instances.count))
        for instance in instances {
            for side in [instance.bid, instance.ask] {
                writer.write(side.price)
                writer.write(side.size)
            }
            writer.write(instance.isLive)
            writer.write(instance.halt)
        }
    }

    /// Takes up a saved state, in a decoder that has read nothing.
    package mutating func restore(
        from state: inout StateReader,
        symbols: inout SymbolTable
    ) throws(StateError) {
        try reader.restore(from: &state)
        let count = try state.read(Int64.self)
        guard count >= 0, count <= reader.keys.count else { throw StateError(offset: 0, expected: "instruments") }
        for index in 0..<Int(count) {
            let known = BridgeKey(reader.keys[index])
            // Interned when the key was first met: known to the table already.
            var instance = Instance(kind: known?.kind, symbol: known?.symbol.flatMap { symbols.intern($0) })
            instance.bid = Side(price: try state.read(), size: try state.read())
            instance.ask = Side(price: try state.read(), size: try state.read())
            instance.isLive = try state.read()
            instance.halt = try state.read()
            instances.append(instance)
        }
    }
}
