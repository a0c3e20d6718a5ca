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
        // Level 1
        library("Primitives"),
        // Level 2
        library("MarketData", ["Primitives"]),
        // Level 4
        library("Wire", ["Primitives", "MarketData"]),
        // Level 6
        library("Bus", ["MarketData", "Wire"]),
        // Level 7
        .target(
            name: "Console",
            resources: [.embedInCode("index.html"), .embedInCode("app.css"), .embedInCode("app.js")],
            swiftSettings: strict
        ),
        library("Gateway", ["Primitives", "MarketData", "Wire", "Bus", "Console"]),

        tests("PrimitivesTests", ["Primitives"]),
        tests("MarketDataTests", ["MarketData", "Primitives"]),
        tests("WireTests", ["Wire", "Primitives"]),
        tests("GatewayTests", ["Gateway", "Bus", "Wire", "MarketData", "Primitives"]),
    ]
)
