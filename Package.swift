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
        // Level 3
        library("FeedProtocols", ["MarketData", "Primitives"]),
        library("Analytics", ["MarketData", "Primitives"]),
        library("Plans", ["MarketData", "Primitives"]),
        // Level 4
        library("Wire", ["MarketData", "Plans", "Primitives"]),
        // Level 5
        library("SymbolCore", ["Analytics", "MarketData", "Plans", "Primitives", "Wire"]),
        // Level 6
        library("Engine", ["FeedProtocols", "MarketData", "Primitives", "SymbolCore", "Wire"]),
        library("Bus", ["MarketData", "Wire"]),

        tests("PrimitivesTests", ["Primitives"]),
        tests("MarketDataTests", ["MarketData", "Primitives"]),
        tests("FeedProtocolsTests", ["FeedProtocols", "MarketData", "Primitives"]),
        tests("AnalyticsTests", ["Analytics", "MarketData", "Primitives"]),
        tests("PlansTests", ["Plans", "MarketData", "Primitives"]),
        tests("WireTests", ["Wire", "Primitives"]),
        tests("SymbolCoreTests", ["MarketData", "Primitives", "SymbolCore", "Wire"]),
        tests("EngineTests", ["Engine", "FeedProtocols", "MarketData", "Primitives", "SymbolCore", "Wire"]),
    ]
)
