internal import Foundation
internal import Journal

/// Names the build, so that a checkpoint is only ever read by the build that wrote it.
///
/// A core's state is saved by its memory; another build may lay it out otherwise. Such a checkpoint is passed over and
/// the tape read from its start, which gives the same state.
enum BuildIdentity {
    /// The first eight bytes of the executable's SHA-256; 0 where it can't be read, which no checkpoint matches.
    static let layout: Int64 = {
        guard let image = FileManager.default.contents(atPath: "/proc/self/exe") else { return 0 }
        return SHA256.digest([UInt8](image)).prefix(8).reduce(0) { $0 << 8 | Int64($1) }
    }()
}
