// swift-tools-version: 6.2
import PackageDescription

/// Whether the executables get jemalloc as their allocator.
///
/// Sanitizer builds set `STRIKETAPE_NO_JEMALLOC=1`: a sanitizer brings its own malloc.
let withJemalloc = Context.environment["STRIKETAPE_NO_JEMALLOC"] == nil
let jemalloc: [Target.Dependency] = withJemalloc ? ["CJemalloc"] : []
let jemallocDefine: [SwiftSetting] = withJemalloc ? [.define("JEMALLOC")] : []

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
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    ],
    targets: [
        // Level 0
        .systemLibrary(name: "CJemalloc", pkgConfig: "jemalloc", providers: [.apt(["libjemalloc-dev"])]),
        // Level 1
        library("Primitives"),
        // Level 2
        library("MarketData", ["Primitives"]),
        library("Telemetry", ["Primitives", .product(name: "Logging", package: "swift-log")]),
        // Level 4
        library("Wire", ["Primitives", "MarketData"]),
        // Level 6
        library("Bus", ["MarketData", "Wire"]),
        // Level 8
        library(
            "Application",
            [
                "Primitives", "Telemetry", "Wire",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Yams", package: "Yams"),
            ]
        ),
        // Level 9
        .executableTarget(
            name: "striketape",
            dependencies: [
                "Application", "Telemetry",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ] + jemalloc,
            swiftSettings: strict + jemallocDefine
        ),

        // What tests share
        .target(
            name: "AllocationCounting",
            dependencies: jemalloc,
            path: "Tests/AllocationCounting",
            swiftSettings: strict + jemallocDefine
        ),

        tests("PrimitivesTests", ["Primitives"]),
        tests("MarketDataTests", ["MarketData", "Primitives"]),
        tests("WireTests", ["Wire", "Primitives"]),
        tests(
            "TelemetryTests",
            ["AllocationCounting", "Telemetry", "Primitives", .product(name: "Logging", package: "swift-log")]
        ),
        tests(
            "ApplicationTests",
            ["Application", "Primitives", "Telemetry", .product(name: "Logging", package: "swift-log")]
        ),
        tests("TidyTests", []),
    ]
)
