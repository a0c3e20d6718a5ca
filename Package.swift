// swift-tools-version: 6.2
import PackageDescription

/// Whether the executables get jemalloc as their allocator.
///
/// Sanitizer builds set `STRIKETAPE_NO_JEMALLOC=1`: a sanitizer brings its own malloc.
let withJemalloc = Context.environment["STRIKETAPE_NO_JEMALLOC"] == nil
let jemalloc: [Target.Dependency] = withJemalloc ? ["CJemalloc"] : []
let jemallocDefine: [SwiftSetting] = withJemalloc ? [.define("JEMALLOC")] : []

/// The commit that is built, shown by `--version`; empty where the builder doesn't say.
///
/// From the environment (`ops/commit`) and not from `Context.gitInformation`, which SwiftPM takes from a cached manifest:
/// it would show an earlier commit.
let commit = (Context.environment["STRIKETAPE_COMMIT"] ?? "")
    .filter { $0.isASCII && ($0.isLetter || $0.isNumber || " ,.-_".contains($0)) }

/// The settings that every target of ours has: the coming language's rules now, and no warning left standing.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

/// A library target; `dependencies` only from lower levels (docs/architecture.md).
func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

/// The tests of one target.
func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let grdb: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")

let package = Package(
    name: "striketape",
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    ],
    targets: [
        // Level 0: C libraries of the system
        .systemLibrary(
            name: "CLibWebSockets",
            providers: [.apt(["libwebsockets-dev", "libwebsockets-evlib-uv", "libuv1-dev", "libssl-dev"])]
        ),
        .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CJemalloc", pkgConfig: "jemalloc", providers: [.apt(["libjemalloc-dev"])]),
        .target(name: "CBuildCommit", cSettings: [.define("STRIKETAPE_COMMIT", to: "\"\(commit)\"")]),
        // Level 1
        library("Primitives"),
        // Level 2
        library("MarketData", ["Primitives"]),
        library("Telemetry", ["Primitives", logging]),
        // Level 3
        library("FeedProtocols", ["MarketData", "Primitives"]),
        library("Analytics", ["MarketData", "Primitives"]),
        library("Plans", ["MarketData", "Primitives"]),
        // Level 4
        library("Wire", ["MarketData", "Plans", "Primitives"]),
        // Level 5
        library("SymbolCore", ["Analytics", "MarketData", "Plans", "Primitives", "Wire"]),
        library("Network", ["CLibWebSockets", "Primitives"]),
        // Level 6
        library("Engine", ["FeedProtocols", "MarketData", "Primitives", "SymbolCore", "Wire"]),
        library("Journal", ["COpenSSL", "CZstd", "MarketData", "Primitives", "Wire", grdb]),
        library("Bus", ["CHiredis", "MarketData", "Network", "Primitives", "Wire"]),
        library("Feeds", ["FeedProtocols", "MarketData", "Network", "Primitives"]),
        // Level 7
        .target(
            name: "Console",
            resources: ["index.html", "app.css", "app.js", "base.js", "net.js", "view.js", "icon.svg", "openapi.json"]
                .map {
                    .embedInCode($0)
                },
            swiftSettings: strict
        ),
        library("Gateway", ["Bus", "Console", "MarketData", "Network", "Primitives", "Wire"]),
        library("Simulation", ["MarketData", "Network", "Primitives", "Wire"]),
        // Level 8
        library(
            "Application",
            [
                "Analytics", "Bus", "Engine", "FeedProtocols", "Feeds", "Gateway", "Journal", "MarketData", "Network",
                "Plans", "Primitives", "Simulation", "SymbolCore", "Telemetry", "Wire", logging,
                .product(name: "Yams", package: "Yams"),
            ]
        ),
        // Level 9
        .executableTarget(
            name: "striketape",
            dependencies: [
                "Application", "CBuildCommit", "Telemetry",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ] + jemalloc,
            swiftSettings: strict + jemallocDefine
        ),

        // What tests use
        .target(
            name: "AllocationCounting",
            dependencies: jemalloc,
            path: "Tests/AllocationCounting",
            swiftSettings: strict + jemallocDefine
        ),
        .executableTarget(
            name: "NetworkEcho",
            dependencies: ["Network", "Primitives"],
            path: "Tests/Support/NetworkEcho",
            swiftSettings: strict
        ),
        tests("PrimitivesTests", ["Primitives"]),
        tests("MarketDataTests", ["MarketData", "Primitives"]),
        tests("TelemetryTests", ["AllocationCounting", "Telemetry", "Primitives", logging]),
        tests("FeedProtocolsTests", ["FeedProtocols", "MarketData", "Primitives"]),
        tests("FeedsTests", ["FeedProtocols", "Feeds", "MarketData", "Network", "Primitives"]),
        tests("AnalyticsTests", ["Analytics", "MarketData", "Primitives"]),
        tests("PlansTests", ["Plans", "MarketData", "Primitives"]),
        tests("WireTests", ["MarketData", "Plans", "Primitives", "Wire"]),
        tests(
            "SymbolCoreTests",
            ["AllocationCounting", "Analytics", "MarketData", "Primitives", "SymbolCore", "Wire"]
        ),
        tests("NetworkTests", ["Network", "Primitives"]),
        tests(
            "EngineTests",
            ["AllocationCounting", "Engine", "FeedProtocols", "MarketData", "Primitives", "SymbolCore", "Wire"]
        ),
        tests("JournalTests", ["Journal", "MarketData", "Primitives", "Wire"]),
        tests("BusTests", ["Bus", "MarketData", "Network", "Primitives", "Wire"]),
        tests("GatewayTests", ["Bus", "Gateway", "MarketData", "Network", "Primitives", "Wire"]),
        tests(
            "ApplicationTests",
            [
                "Analytics", "Application", "FeedProtocols", "Gateway", "Primitives", "SymbolCore", "Telemetry", "Wire",
                logging,
            ]
        ),
        tests("SimulationTests", ["MarketData", "Network", "Primitives", "Simulation", "Wire"]),
        tests(
            "DocumentsTests",
            ["Console", "Gateway", "Network", "Wire", .product(name: "Yams", package: "Yams")]
        ),
        tests("TidyTests", []),
    ]
)
