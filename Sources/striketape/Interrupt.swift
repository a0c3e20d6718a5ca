internal import Dispatch
internal import Glibc

/// Waits for Ctrl-C or SIGTERM; a second one ends the process at once.
enum Interrupt {
    ///
    /// With `hangup` a closed terminal counts as one too, unless it was to be ignored (`nohup`).
    static func wait(hangup: Bool = false) async {
        let signals = [SIGINT, SIGTERM] + (hangup && !isIgnored(SIGHUP) ? [SIGHUP] : [])
        for signal in signals { _ = Glibc.signal(signal, SIG_IGN) }
        let sources = signals.map {
            DispatchSource.makeSignalSource(signal: $0, queue: .global())
        }
        let came = AsyncStream<Void> { continuation in
            for source in sources {
                source.setEventHandler { continuation.yield() }
                source.resume()
            }
        }
        for await _ in came { break }
        for source in sources { source.cancel() }
        for signal in signals { _ = Glibc.signal(signal, SIG_DFL) }
    }

    private static func isIgnored(_ signal: Int32) -> Bool {
        var action = sigaction()
        guard sigaction(signal, nil, &action) == 0, let handler = action.__sigaction_handler.sa_handler else {
            return false
        }
        return unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
    }
}
