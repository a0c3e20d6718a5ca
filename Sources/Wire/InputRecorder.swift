package import MarketData
package import Primitives

/// Who writes the numbered inputs down before they take effect: the tape, or nobody in a replay.
///
/// Feed thread only. A failure to write is the recorder's to count and report; it never stops the engine.
package protocol InputRecorder: AnyObject {
    /// A frame as it came; `n` is the ordinal of its first event.
    func record(frame: UnsafeRawBufferPointer, of source: FeedSource, n: Ordinal, received: Instant)
    func recordClock(n: Ordinal, received: Instant)
    func record(_ command: Command, n: Ordinal, received: Instant)
    func record(feed: String, state: FeedState, cause: String, n: Ordinal, received: Instant)
    /// A REST answer that the engine was given; `body` is its JSON text, or whatever came instead.
    func record(rest source: String, url: String, body: [UInt8], n: Ordinal, received: Instant)
}
