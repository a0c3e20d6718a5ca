internal import FeedProtocols
package import MarketData

/// The frames that a benchmark reads, end to end in memory, so that no reading is measured.
package struct BenchFrames: Sendable {
    private var bytes: [UInt8] = []
    private var ends: [Int] = []
    private var sources: [FeedSource] = []

    /// The built-in mix: seed 1, 500 symbols, about 100 MB.
    package static func builtIn(megabytes: Int = 100) -> BenchFrames {
        var mix = FrameMix(seed: 1, symbols: 500)
        var frames = BenchFrames()
        frames.bytes.reserveCapacity((megabytes + 1) * 1_000_000)
        while frames.bytes.count < megabytes * 1_000_000 {
            _ = mix.appendFrame(to: &frames.bytes)
            frames.ends.append(frames.bytes.count)
            frames.sources.append(.stocks)
        }
        return frames
    }

    package init() {}

    /// Adds one frame.
    package mutating func append(_ frame: UnsafeRawBufferPointer, from source: FeedSource) {
        bytes.append(contentsOf: frame)
        ends.append(bytes.count)
        sources.append(source)
    }

    package var count: Int { ends.count }
    package var byteCount: Int { bytes.count }

    /// Lends each frame in turn.
    func forEach(_ body: (UnsafeRawBufferPointer, FeedSource) -> Void) {
        bytes.withUnsafeBytes { all in
            var start = 0
            for (index, end) in ends.enumerated() {
                body(UnsafeRawBufferPointer(rebasing: all[start..<end]), sources[index])
                start = end
            }
        }
    }
}
