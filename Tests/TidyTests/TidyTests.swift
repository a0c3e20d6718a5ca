import Foundation
import Testing

/// The rules of the house, over every Swift file of the package.
@Suite struct TidyTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Read once: each rule goes over all of them.
    private static let tree = Result { try read() }

    private static func files() throws -> [SourceFile] { try tree.get() }

    private static func read() throws -> [SourceFile] {
        var files: [SourceFile] = []
        for folder in ["Sources", "Tests"] {
            let names = try FileManager.default.subpathsOfDirectory(atPath: root.appendingPathComponent(folder).path)
            for name in names.sorted() where name.hasSuffix(".swift") {
                let path = "\(folder)/\(name)"
                let text = try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
                files.append(SourceFile(path, text))
            }
        }
        return files
    }

    @Test(arguments: Rule.all.map(\.name))
    func everyFileKeeps(rule name: String) throws {
        let rule = try #require(Rule.all.first { $0.name == name })
        let breaches = try Self.files().flatMap(rule.check)
        #expect(breaches.isEmpty, "\(breaches.map(\.description).joined(separator: "\n"))")
    }

    @Test func everyMachineHasItsTests() throws {
        let breaches = try MirrorRule.breaches(Self.files())
        #expect(breaches.isEmpty, "\(breaches.map(\.description).joined(separator: "\n"))")
    }

    @Test func filesAreFound() throws {
        let targets = Set(try Self.files().map(\.target))
        #expect(targets.isSuperset(of: ["Primitives", "Telemetry", "Application", "striketape", "TidyTests"]))
    }
}
