/// The strict downward order of targets (docs/architecture.md).
enum Layers {
    /// A target imports only from levels below its own.
    static let levels: [String: Int] = [
        "CLibWebSockets": 0, "CHiredis": 0, "CZstd": 0, "CJemalloc": 0, "CSystem": 0, "COpenSSL": 0,
        "CBuildCommit": 0,
        "Primitives": 1,
        "MarketData": 2, "Telemetry": 2,
        "FeedProtocols": 3, "Analytics": 3, "Plans": 3,
        "Wire": 4,
        "SymbolCore": 5, "Tiers": 5, "Network": 5,
        // Resources of the gateway.
        "Console": 6,
        "Engine": 6, "Journal": 6, "Bus": 6, "Feeds": 6,
        "Gateway": 7, "Distribution": 7, "Simulation": 7,
        "Application": 8,
        "striketape": 9,
    ]

    /// Targets that decide and never act: no clock, no random number, no I/O.
    static let pure: Set<String> = [
        "Primitives", "MarketData", "FeedProtocols", "Analytics", "Plans", "Wire", "SymbolCore", "Tiers",
    ]

    /// C modules, and packages that one part of the program owns, and who may import them.
    static let owners: [String: Set<String>] = [
        "CLibWebSockets": ["Network"], "CHiredis": ["Bus"], "CZstd": ["Journal"], "COpenSSL": ["Journal"],
        "CJemalloc": ["striketape"], "CBuildCommit": ["striketape"],
        "GRDB": ["Journal"], "Yams": ["Application"], "ArgumentParser": ["striketape"],
    ]

    /// The system's modules: what a pure target must do without.
    static let system: Set<String> = [
        "Foundation", "FoundationEssentials", "FoundationNetworking", "Glibc", "Musl", "Dispatch", "Synchronization",
        "CSystem", "Logging",
    ]

    /// The one pure file that needs the C library: the mutex.
    static let systemExceptions: Set<String> = ["Sources/Primitives/Lock.swift"]

    /// Targets that may name a provider.
    static let vendorTargets: Set<String> = ["FeedProtocols", "Feeds", "Simulation", "Application", "striketape"]

    /// Files elsewhere that may: the provider as a value of the tape's `src`.
    static let vendorExceptions: Set<String> = ["Sources/MarketData/FeedSource+TapeName.swift"]
}
