/// A rule: what a file breaks, given its path and text alone.
struct Rule: Sendable {
    let name: String
    let check: @Sendable (SourceFile) -> [Breach]

    /// Every rule over one file.
    static let all = [length, unfinished, imports, owners, pureImports, pureCalls, vendors]

    /// Files stay readable in one sitting.
    static let length = Rule(name: "length") { file in
        // The last element is what follows the final line feed.
        let count = file.lines.count - (file.lines.last == "" ? 1 : 0)
        guard count > 500 else { return [] }
        return [Breach(path: file.path, line: 0, message: "\(count) lines, more than 500")]
    }

    /// Nothing unfinished is committed; comments count too.
    static let unfinished = Rule(name: "unfinished") { file in
        file.lines.enumerated().flatMap { index, line in
            // The reason phrase of HTTP's status 501.
            let line = line.lowercased().replacing("case 501: \"not " + "implemented\"", with: "")
            return unfinishedWords.filter { line.hasWord($0.lowercased()) }.map {
                Breach(path: file.path, line: index + 1, message: "unfinished: \($0)")
            }
        }
    }

    /// Imports go down the levels only.
    static let imports = Rule(name: "imports") { file in
        guard file.isSource else { return [] }
        guard let level = Layers.levels[file.target] else {
            return [Breach(path: file.path, line: 0, message: "target \(file.target) has no level in the table")]
        }
        return importedModules(file).compactMap { line, module in
            guard let other = Layers.levels[module], other >= level else { return nil }
            return Breach(
                path: file.path,
                line: line,
                message: "\(file.target) (\(level)) imports \(module) (\(other))"
            )
        }
    }

    /// A C library, or a package of one purpose, is called by its owner alone.
    static let owners = Rule(name: "owners") { file in
        guard file.isSource else { return [] }
        return importedModules(file).compactMap { line, module in
            guard let owners = Layers.owners[module], !owners.contains(file.target) else { return nil }
            return Breach(path: file.path, line: line, message: "\(module) belongs to \(owners.sorted())")
        }
    }

    /// Pure targets import no module of the system.
    static let pureImports = Rule(name: "pureImports") { file in
        guard file.isSource, Layers.pure.contains(file.target), !Layers.systemExceptions.contains(file.path) else {
            return []
        }
        return importedModules(file).compactMap { line, module in
            guard Layers.system.contains(module), !isMathImport(file.lines[line - 1]) else { return nil }
            let advice = "a function of mathematics alone can be imported: import func Glibc.log"
            let message = "the pure target \(file.target) imports \(module); \(advice)"
            return Breach(path: file.path, line: line, message: message)
        }
    }

    /// Pure targets read no clock, draw no random number, do no I/O.
    static let pureCalls = Rule(name: "pureCalls") { file in
        guard file.isSource, Layers.pure.contains(file.target) else { return [] }
        return file.code.flatMap { number, text in
            var found = impureCalls.filter { text.hasWord($0) }
            // A random number from a generator that was handed in is a function of its seed.
            for call in randomCalls where text.contains(call) && !text.contains("using:") { found.append(call) }
            return found.map { Breach(path: file.path, line: number, message: "\($0) in a pure target") }
        }
    }

    /// A provider's name stays where its protocol is spoken.
    static let vendors = Rule(name: "vendors") { file in
        guard file.isSource, !Layers.vendorTargets.contains(file.target), !Layers.vendorExceptions.contains(file.path)
        else { return [] }
        return file.lines.enumerated().flatMap { index, line in
            let line = line.lowercased()
            var found = vendorWords.filter { line.contains($0) }
            found += ["uw_", "ib_"].filter { startsWord($0, in: line) }
            return found.map { Breach(path: file.path, line: index + 1, message: "vendor word \($0)") }
        }
    }

    // In pieces, so that this file keeps its own rule.
    private static let unfinishedWords = [
        "TO" + "DO", "FIX" + "ME", "X" + "XX", "for " + "now", "place" + "holder", "not " + "implemented",
    ]

    private static let impureCalls = [
        "Date(", "Date.now", "clock_gettime", "gettimeofday", "time(nil)", "ContinuousClock", "SuspendingClock",
        "DispatchTime", "ProcessInfo", "SystemRandomNumberGenerator", "UUID(", "arc4random", "rand(", "print(",
        "debugPrint(", "dump(", "readLine(", "fopen", "fputs(", "FileManager", "FileHandle", "CommandLine", "getenv(",
        "Task.sleep", "Task {", "Task.detached", "Thread",
    ]

    private static let randomCalls = [".random(", ".shuffled(", ".shuffle(", ".randomElement("]

    private static let vendorWords = [
        "polygon", "massive", "unusualwhales", "unusual whales", "unusual_whales", "interactive brokers",
        "interactivebrokers", "ibkr", "databento",
    ]

    private static func startsWord(_ prefix: String, in line: String) -> Bool {
        var rest = line[...]
        while let range = rest.firstRange(of: prefix) {
            let before = range.lowerBound == line.startIndex ? nil : line[line.index(before: range.lowerBound)]
            if before.map({ !$0.isLetter && !$0.isNumber }) ?? true { return true }
            rest = rest[range.upperBound...]
        }
        return false
    }

    /// Whether a line imports one function of mathematics, by name.
    private static func isMathImport(_ line: Substring) -> Bool {
        guard let range = line.firstRange(of: "import func Glibc.") else { return false }
        return mathFunctions.contains(String(line[range.upperBound...]))
    }

    private static let mathFunctions: Set<String> = [
        "log", "log1p", "log2", "log10", "exp", "expm1", "pow", "erf", "erfc", "sqrt", "cbrt", "fma", "tgamma",
        "lgamma",
        "sin", "cos", "tan", "tanh", "atan", "atan2", "hypot",
    ]

    private static func importedModules(_ file: SourceFile) -> [(line: Int, module: String)] {
        let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "typealias", "func", "let", "var"]
        return file.code.compactMap { number, text in
            var words = text.split(separator: " ")[...]
            guard let position = words.prefix(3).firstIndex(of: "import") else { return nil }
            // Before the word: attributes and an access level only; `import struct A.B` names a declaration.
            let modifiers = ["package", "public", "internal", "private", "fileprivate"]
            guard words[..<position].allSatisfy({ $0.hasPrefix("@") || modifiers.contains(String($0)) }) else {
                return nil
            }
            words = words[(position + 1)...]
            if let kind = words.first, kinds.contains(kind) { words = words.dropFirst() }
            return words.first.map { (number, String($0.prefix { $0 != "." && $0 != ";" })) }
        }
    }
}

/// The rule over the tree: a machine has a test file of its own.
enum MirrorRule {
    /// Whether a file holds a state machine: by its name, or because it steps a state by consuming it.
    static func isMachine(_ file: SourceFile) -> Bool {
        guard file.isSource else { return false }
        if file.name.hasSuffix("Machine.swift") { return true }
        if file.name.hasSuffix("Connection.swift"), Layers.pure.contains(file.target) { return true }
        return file.code.contains { $0.text.contains("switch consume self.state") }
    }

    /// Machines without `Tests/<Target>Tests/**/<File>Tests.swift`.
    static func breaches(_ files: [SourceFile]) -> [Breach] {
        let tests = Set(files.filter { !$0.isSource }.map { "\($0.target)/\($0.name)" })
        return files.filter(isMachine).compactMap { file in
            let expected = "\(file.target)Tests/\(file.name.dropLast(".swift".count))Tests.swift"
            guard !tests.contains(expected) else { return nil }
            return Breach(path: file.path, line: 0, message: "a state machine without Tests/\(expected)")
        }
    }
}
