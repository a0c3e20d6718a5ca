internal import Glibc

/// What every command does first.
package enum ProcessSetup {
    /// Makes a write to a closed socket or pipe an error instead of the end of the process.
    ///
    /// hiredis writes without `MSG_NOSIGNAL`, so this comes before any thread starts.
    package static func ignoreBrokenPipes() {
        signal(SIGPIPE, SIG_IGN)
    }
}
