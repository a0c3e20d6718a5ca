internal import Glibc
internal import MarketData
internal import Primitives

/// A lease by a lock of the kernel's on a file that all processes of this user share; gone with the process.
///
/// For processes on one machine without Redis. The token is the number of owners so far, kept in the file.
package final class FileLease: Lease, @unchecked Sendable {
    // Owner of the unchecked state: `state` is locked.
    private struct State {
        var descriptor: Int32 = -1
        var token: Int64 = 0
    }

    /// Why a lease file can't be used.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    private let path: String
    private let state = Lock(State())

    /// - Parameters:
    ///   - directory: made if it isn't there, for this user alone.
    ///   - name: what is leased; letters, digits, `.` and `-`.
    package init(directory: String, name: String) {
        path = "\(directory)/\(name).lease"
        mkdir(directory, 0o700)
    }

    deinit {
        let descriptor = state.withLock { $0.descriptor }
        if descriptor >= 0 { close(descriptor) }
    }

    package func acquire() async throws -> Int64? { try take() }

    package func release() async {
        state.withLock { state in
            if state.descriptor >= 0 { close(state.descriptor) }
            state = State()
        }
    }

    private func take() throws -> Int64? {
        try state.withLock { state in
            if state.descriptor >= 0 { return state.token }
            let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
            guard descriptor >= 0 else { throw Failure(description: "\(path): \(String(cString: strerror(errno)))") }
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                let error = errno
                close(descriptor)
                if error == EWOULDBLOCK { return nil }
                throw Failure(description: "\(path): \(String(cString: strerror(error)))")
            }
            state = State(descriptor: descriptor, token: Self.count(descriptor))
            return state.token
        }
    }

    /// Counts this owner in the file.
    private static func count(_ descriptor: Int32) -> Int64 {
        var bytes = [UInt8](repeating: 0, count: 20)
        let length = pread(descriptor, &bytes, bytes.count, 0)
        let text = String(decoding: bytes.prefix(max(0, length)).prefix { $0 >= 48 && $0 <= 57 }, as: UTF8.self)
        let next = (Int64(text) ?? 0) + 1
        let written = Array(String(next).utf8)
        ftruncate(descriptor, 0)
        pwrite(descriptor, written, written.count, 0)
        return next
    }
}
