/// The decoder of the frames that the engine takes, whoever sends them.
///
/// One provider speaks so far; with a second this becomes a choice by source, and the engine doesn't change.
package typealias FrameDecoder = PolygonDecoder
