package import Network

/// The admin listener of a process without a gateway: `/healthz`, `/readyz`, `/metrics`.
///
/// Any thread but the loop's for `start` and `stop`; what the seams give is asked for on the loop.
package final class AdminListener: @unchecked Sendable {
    // Unchecked: the server and its handler are touched by the loop thread only.
    private let loop: EventLoop
    private let handler: AdminHandler
    private var server: WebServer?

    package init(loop: EventLoop, seams: GatewaySeams) {
        self.loop = loop
        handler = AdminHandler(metrics: seams.metrics, dependencies: seams.dependencies)
    }

    /// Listens; port 0 takes a free one.
    ///
    /// - Throws: `GatewayError` where the address isn't on loopback (it has no key), or can't be had.
    package func start(host: String, port: Int) throws {
        guard GatewayConfiguration.isLoopback(host) else {
            throw GatewayError(.configuration, "admin.listen: a loopback address, found \(host)")
        }
        do {
            try loop.sync { [self] in
                var options = WebServerOptions()
                options.host = host
                options.port = port
                let server = WebServer(loop: loop, options: options, handler: handler)
                try server.listen()
                self.server = server
            }
        } catch let error as NetworkError {
            throw GatewayError(.listen, "\(error)")
        }
    }

    /// The bound port; 0 where it doesn't listen.
    package func port() throws -> Int { try loop.sync { [self] in server?.port ?? 0 } }

    /// Ends it at once; idempotent.
    package func stop() {
        // A loop that has ended has closed its sockets itself.
        try? loop.sync { [self] in
            server?.stop()
            server = nil
        }
    }
}
