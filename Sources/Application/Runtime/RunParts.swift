internal import Engine
internal import Feeds
internal import Gateway
internal import Journal
internal import Logging
internal import MarketData
internal import Network
internal import Primitives

extension GatewayConfiguration {
    /// What the configuration file says of the gateway.
    init(_ configuration: Configuration, served: Bool) {
        self.init()
        host = configuration.gateway.listen.host
        port = configuration.gateway.listen.port
        adminHost = configuration.admin.listen.host
        adminPort = configuration.admin.listen.port
        apiKey = configuration.gateway.apiKey?.reveal()
        if !configuration.gateway.allowedHosts.isEmpty { allowedHosts = configuration.gateway.allowedHosts }
        if !configuration.gateway.allowedOrigins.isEmpty { allowedOrigins = configuration.gateway.allowedOrigins }
        symbols = served ? configuration.polygon.symbols : []
        flushMillis = Int64(configuration.gateway.flushMs)
        limits.connections = configuration.gateway.maxConnections
    }
}
