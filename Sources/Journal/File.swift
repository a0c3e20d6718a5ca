internal import Glibc

/// An open file; closed when it goes out of scope.
///
/// Every call may block.
struct File: ~Copyable {
    let path: String
    private let descriptor: Int32

    /// Opens a file.
    ///
    /// - Throws: `unreadable` or `unwritable` with the system's reason.
    init(_ path: String, flags: Int32 = O_RDONLY, mode: mode_t = 0o600) throws(JournalError) {
        let opened = open(path, flags | O_CLOEXEC, mode)
        guard opened >= 0 else {
            throw JournalError(flags & O_ACCMODE == O_RDONLY ? .unreadable : .unwritable, file: path, Self.reason())
        }
        self.path = path
        descriptor = opened
    }

    deinit { close(descriptor) }

    /// The system's reason for the last failure.
    static func reason() -> String { String(cString: strerror(errno)) }

    /// Reads up to the buffer's size; 0 at the end.
    borrowing func read(into buffer: UnsafeMutableRawBufferPointer) throws(JournalError) -> Int {
        while true {
            let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            if count >= 0 { return count }
            guard errno == EINTR else { throw JournalError(.unreadable, file: path, Self.reason()) }
        }
    }

    /// Writes as much as the kernel takes.
    ///
    /// - Returns: how many bytes it took, and why it stopped if it took fewer.
    borrowing func write(_ bytes: UnsafeRawBufferPointer) -> (written: Int, error: JournalError?) {
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
            if count > 0 {
                done += count
            } else if count == 0 || errno != EINTR {
                return (done, JournalError(.unwritable, file: path, count == 0 ? "no bytes taken" : Self.reason()))
            }
        }
        return (done, nil)
    }

    /// Writes everything.
    borrowing func writeAll(_ bytes: [UInt8]) throws(JournalError) {
        let error = bytes.withUnsafeBytes { write($0).error }
        if let error { throw error }
    }

    /// Waits until the content is on the disk.
    borrowing func syncData() -> JournalError? {
        fdatasync(descriptor) == 0 ? nil : JournalError(.unwritable, file: path, Self.reason())
    }

    borrowing func seek(to offset: Int64) throws(JournalError) {
        guard lseek(descriptor, Int(offset), SEEK_SET) == Int(offset) else {
            throw JournalError(.unreadable, file: path, Self.reason())
        }
    }

    /// The bytes at a place, fewer where the file ends before.
    borrowing func bytes(at offset: Int64, count: Int) throws(JournalError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let got = bytes.withUnsafeMutableBytes { buffer in
                pread(descriptor, buffer.baseAddress.unsafelyUnwrapped + done, count - done, Int(offset) + done)
            }
            if got == 0 { break }
            if got > 0 {
                done += got
            } else if errno != EINTR {
                throw JournalError(.unreadable, file: path, Self.reason())
            }
        }
        bytes.removeLast(count - done)
        return bytes
    }

    borrowing func truncate(to size: Int64) throws(JournalError) {
        guard ftruncate(descriptor, Int(size)) == 0 else { throw JournalError(.unwritable, file: path, Self.reason()) }
    }

    borrowing func size() throws(JournalError) -> Int64 {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw JournalError(.unreadable, file: path, Self.reason()) }
        return Int64(status.st_size)
    }
}

/// Directories and names.
enum Files {
    /// The size of a file, nil where there is none.
    static func size(_ path: String) -> Int64? {
        var status = stat()
        return stat(path, &status) == 0 ? Int64(status.st_size) : nil
    }

    /// Creates a directory unless it is there.
    static func makeDirectory(_ path: String) throws(JournalError) {
        guard mkdir(path, 0o700) != 0, errno != EEXIST else { return }
        throw JournalError(.unwritable, file: path, File.reason())
    }

    /// The names in a directory, sorted by bytes.
    static func names(in directory: String) throws(JournalError) -> [String] {
        guard let handle = opendir(directory) else {
            throw JournalError(.unreadable, file: directory, File.reason())
        }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            names.append(
                withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            )
        }
        return names.filter { $0 != "." && $0 != ".." }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// Removes a file; nothing happens where there is none.
    static func remove(_ path: String) throws(JournalError) {
        guard unlink(path) != 0, errno != ENOENT else { return }
        throw JournalError(.unwritable, file: path, File.reason())
    }

    /// Gives a file its final name in the same directory, for good: the directory is synced too.
    static func moveIntoPlace(_ path: String, as final: String, in directory: String) throws(JournalError) {
        guard rename(path, final) == 0 else { throw JournalError(.unwritable, file: final, File.reason()) }
        try syncDirectory(directory)
    }

    /// Makes created, renamed and removed names of a directory durable.
    static func syncDirectory(_ path: String) throws(JournalError) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw JournalError(.unreadable, file: path, File.reason()) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw JournalError(.unwritable, file: path, File.reason()) }
    }

    /// The whole content of a file.
    static func contents(_ path: String) throws(JournalError) -> [UInt8] {
        let file = try File(path)
        let size = Int(try file.size())
        var bytes = [UInt8](repeating: 0, count: size)
        var done = 0
        var failure: JournalError?
        bytes.withUnsafeMutableBytes { buffer in
            do throws(JournalError) {
                while done < size {
                    let count = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[done...]))
                    if count == 0 { break }
                    done += count
                }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        bytes.removeLast(size - done)
        return bytes
    }
}
