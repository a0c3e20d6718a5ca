// swift-tools-version: 6.2
import PackageDescription

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

let package = Package(
    name: "striketape",
    targets: [
        // Level 0: C libraries of the system
        .systemLibrary(
            name: "CLibWebSockets",
            providers: [.apt(["libwebsockets-dev", "libwebsockets-evlib-uv", "libuv1-dev", "libssl-dev"])]
        ),
        .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
        // Level 1
        library("Primitives"),
        // Level 2
        library("MarketData", ["Primitives"]),
        // Level 4
        library("Wire", ["Primitives", "MarketData"]),
        // Level 5
        library("Network", ["CLibWebSockets", "Primitives"]),
        // Level 6
        library("Bus", ["CHiredis", "Primitives", "MarketData", "Wire", "Network"]),
        // Level 7
        .target(
            name: "Console",
            resources: ["index.html", "app.css", "app.js", "base.js", "net.js", "view.js", "icon.svg"].map {
                .embedInCode($0)
            },
            swiftSettings: strict
        ),
        library("Gateway", ["Primitives", "MarketData", "Wire", "Bus", "Network", "Console"]),

        tests("PrimitivesTests", ["Primitives"]),
        tests("MarketDataTests", ["MarketData", "Primitives"]),
        tests("WireTests", ["Wire", "Primitives"]),
        tests("GatewayTests", ["Gateway", "Bus", "Network", "Wire", "MarketData", "Primitives"]),
        tests("BusTests", ["Bus", "Wire", "MarketData", "Primitives", "Network"]),
        tests("NetworkTests", ["Network", "Primitives"]),
        .executableTarget(
            name: "NetworkEcho",
            dependencies: ["Network", "Primitives"],
            path: "Tests/Support/NetworkEcho",
            swiftSettings: strict
        ),
    ]
)
