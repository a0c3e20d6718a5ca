/// Certificate and key of a TLS listener, PEM files; TLS 1.2 and above.
package struct ServerTLS: Sendable, Equatable {
    package var certificateFile: String
    package var keyFile: String

    package init(certificateFile: String, keyFile: String) {
        self.certificateFile = certificateFile
        self.keyFile = keyFile
    }
}

/// Where a server listens, and its limits.
package struct WebServerOptions: Sendable, Equatable {
    /// A numeric address of this machine, or an interface name.
    package var host = "127.0.0.1"
    /// 0 takes a free port; `WebServer.port` tells which.
    package var port = 0
    package var tls: ServerTLS?
    /// The WebSocket subprotocols that are spoken; a client that offers others only is refused, one that offers none is not.
    package var subprotocols = ["striketape.v1"]
    /// Bytes of a WebSocket message from a client; above: close 1009.
    package var messageBytesMax = 65_536
    /// Bytes of a request body; above: 413.
    package var bodyBytesMax = 1 << 20
    /// WebSockets at once; above: accepted, then closed 1013.
    package var connectionsMax = 10_000
    /// Sockets that are no WebSocket (yet); above: dropped.
    package var httpSocketsMax = 1_000
    /// From accept, or the answer before, to the end of the request's headers and body.
    package var requestNanosMax: Int64 = 10_000_000_000
    /// From the request to the handler's answer; above: 503.
    package var answerNanosMax: Int64 = 30_000_000_000
    /// A ping goes out this often.
    package var pingEveryNanos: Int64 = 25_000_000_000
    /// Without any frame for the ping interval and this long, a connection is dead.
    package var silenceNanosMax: Int64 = 10_000_000_000
    /// From a close to its end; above: the socket is cut.
    package var closeNanosMax: Int64 = 3_000_000_000
    /// The kernel's send buffer of a socket; bounds how stale the data of a slow reader gets.
    ///
    /// nil: the system's own, which grows to megabytes.
    package var sendBufferBytes: Int32? = 262_144

    package init() {}
}

/// What a server has seen, for metrics; all but the last two only grow.
package struct WebServerCounters: Sendable, Equatable {
    package var accepted = 0
    package var requests = 0
    package var upgrades = 0
    /// `Upgrade` to something else than websocket, CONNECT.
    package var refusedUpgrades = 0
    /// Too many sockets without a WebSocket.
    package var refusedSockets = 0
    /// WebSockets above the limit, told 1013.
    package var refusedConnections = 0
    package var tooBigMessages = 0
    package var tooBigBodies = 0
    package var badRequests = 0
    /// No request in time.
    package var slowRequests = 0
    /// No answer of the handler in time.
    package var slowAnswers = 0
    /// WebSockets without any frame for too long.
    package var silent = 0
    /// Sockets now, of any kind.
    package var sockets = 0
    /// WebSockets now.
    package var connections = 0
}
