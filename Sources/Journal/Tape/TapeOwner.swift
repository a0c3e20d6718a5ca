internal import Glibc

/// Keeps a second writer out of a tape directory, be it of this process or another: both would write, close and remove the
/// same segments, and one removes as damaged the copy that the other has just begun.
///
/// A lock of the kernel's on the directory itself, gone with the process however it ends. NFS locks no directories: there
/// nobody is kept out. Any thread.
final class TapeOwner: Sendable {
    private let descriptor: Int32

    /// Takes the directory; waits up to `waitMillis` for a former writer that still closes a segment.
    ///
    /// - Throws: `unwritable` where another writer has it, `unreadable` where it isn't there.
    init(_ directory: String, waitMillis: Int) throws(JournalError) {
        let opened = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard opened >= 0 else { throw JournalError(.unreadable, file: directory, File.reason()) }
        let step = 5
        var left = waitMillis
        while flock(opened, LOCK_EX | LOCK_NB) != 0, errno != EBADF {
            guard errno == EINTR || errno == EWOULDBLOCK, left > 0 else {
                let reason = errno == EWOULDBLOCK ? "another writer has this tape" : File.reason()
                close(opened)
                throw JournalError(.unwritable, file: directory, reason)
            }
            usleep(UInt32(step) * 1_000)
            left -= step
        }
        descriptor = opened
    }

    deinit { close(descriptor) }
}
