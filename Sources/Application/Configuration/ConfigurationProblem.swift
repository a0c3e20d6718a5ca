/// Where a value came from.
package enum ConfigurationOrigin: Sendable, Hashable, CustomStringConvertible {
    case builtIn
    case file(name: String, line: Int)
    case environment(String)
    /// An environment variable that names a file.
    case secretFile(variable: String, path: String)
    /// An option of the command line.
    case option(String)

    package var description: String {
        switch self {
        case .builtIn: "default"
        case .file(let name, let line): "\(name):\(line)"
        case .environment(let name): "environment \(name)"
        case .secretFile(let variable, let path): "\(path) (environment \(variable))"
        case .option(let name): "option \(name)"
        }
    }
}

/// One thing wrong with the configuration.
package struct ConfigurationProblem: Sendable, Equatable, CustomStringConvertible {
    /// The key in dotted form; the file's name where the whole file is at fault.
    package let key: String
    /// What is wrong, and what would be right.
    package let message: String
    /// The range or form that is allowed, where there is one.
    package let allowed: String?
    /// The value as it was found; `[redacted]` for a secret, nil where there is none.
    package let found: String?
    package let origin: ConfigurationOrigin

    package init(
        key: String,
        message: String,
        allowed: String? = nil,
        found: String? = nil,
        origin: ConfigurationOrigin
    ) {
        self.key = key
        self.message = message
        self.allowed = allowed
        self.found = found
        self.origin = origin
    }

    package var description: String {
        var text = "\(key): \(message)"
        if let allowed { text += "; allowed: \(allowed)" }
        if let found { text += "; found: \(found.isEmpty ? "nothing" : found)" }
        if origin != .builtIn { text += " (\(origin))" }
        return text
    }
}

/// All that is wrong with a configuration, in one error.
package struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// In the order of file, environment, options, then rules that join several keys.
    package let problems: [ConfigurationProblem]

    package init(problems: [ConfigurationProblem]) { self.problems = problems }

    package var description: String {
        let count = problems.count == 1 ? "1 problem" : "\(problems.count) problems"
        return "configuration has \(count):\n" + problems.map { "  - \($0)" }.joined(separator: "\n")
    }
}
