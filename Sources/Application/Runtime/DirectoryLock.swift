internal import Glibc

/// Keeps a second engine out of a directory of state or tapes: two writers of one tape would ruin it.
///
/// A lock of the kernel's, gone with the process however it ends.
final class DirectoryLock: Sendable {
    private let descriptor: Int32

    /// - Throws: `RunError` where another process holds it, or the directory can't be written.
    init(_ directory: String, as key: String = "state.dir") throws {
        let path = directory + "/lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw RunError("\(path): \(String(cString: strerror(errno)))") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw RunError("\(key) \(directory) is in use by another engine; end it or choose another directory")
        }
    }

    deinit { close(descriptor) }
}
