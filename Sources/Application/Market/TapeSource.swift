internal import Journal
internal import MarketData
internal import Primitives
internal import Simulation

/// A recorded tape as the simulated provider's market.
struct TapeSource: FrameSource {
    private let reader: TapeReader

    init(_ paths: [String]) { reader = TapeReader(paths) }

    mutating func next() throws -> SimulatedFrame? {
        while let line = try reader.next() {
            guard case .frame(let time, _, let source, let bytes) = line, let market = Self.market(source) else {
                continue
            }
            return SimulatedFrame(time: time, market: market, bytes: Array(bytes))
        }
        return nil
    }

    private static func market(_ source: FeedSource) -> PolygonMarket? {
        switch source {
        case .stocks: .stocks
        case .options: .options
        case .indices: .indices
        case .flow, .bridge: nil
        }
    }
}

extension MarketOptions {
    /// The stocks that a demo follows: the model's, or those in the first frames of its tape.
    ///
    /// - Throws: `JournalError` where the tape can't be read.
    package func followedSymbols() throws -> [String] {
        guard !tapeFiles.isEmpty else { return symbols }
        let reader = TapeReader(tapeFiles)
        var found: [String] = []
        var frames = 0
        while frames < 2_000, found.count < 8, let line = try reader.next() {
            guard case .frame(_, _, .stocks, let bytes) = line else { continue }
            frames += 1
            for part in FrameFilter.parts(Array(bytes)) where !found.contains(part.symbol) && !part.symbol.isEmpty {
                found.append(part.symbol)
            }
        }
        return found
    }
}
