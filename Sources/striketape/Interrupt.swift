internal import Dispatch
internal import Glibc

/// Waits for Ctrl-C or SIGTERM; a second one ends the process at once.
enum Interrupt {
    static func wait() async {
        for signal in [SIGINT, SIGTERM] { _ = Glibc.signal(signal, SIG_IGN) }
        let sources = [SIGINT, SIGTERM].map {
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
        for signal in [SIGINT, SIGTERM] { _ = Glibc.signal(signal, SIG_DFL) }
    }
}
