internal import Yams

/// A configuration and where each of its values came from.
package struct LoadedConfiguration: Sendable {
    package let configuration: Configuration
    /// By key name, every key.
    package let origins: [String: ConfigurationOrigin]
    /// The file that was read, if any.
    package let file: String?
}

/// Reads a configuration in layers: option over environment over file over default; validated whole.
///
/// All input is handed in, so the same input always gives the same result.
package struct ConfigurationLoader {
    /// Name (for messages) and text of the YAML file.
    package var file: (name: String, text: String)?
    package var environment: [String: String]
    /// Values of command line options by key, with the option's name.
    package var options: [(key: String, option: String, value: String)] = []
    /// Whether a tape on this machine stands in for the provider: then its host isn't asked about.
    package var feedIsTape = false
    /// Reads a file that a `…_FILE` variable names.
    package var readFile: (String) -> Result<String, ConfigurationFileError>

    private var values: [String: (input: ConfigurationInput, origin: ConfigurationOrigin)] = [:]
    private var problems: [ConfigurationProblem] = []

    package init(
        file: (name: String, text: String)? = nil,
        environment: [String: String] = [:],
        readFile: @escaping (String) -> Result<String, ConfigurationFileError> = ConfigurationFiles.read
    ) {
        self.file = file
        self.environment = environment
        self.readFile = readFile
    }

    /// The configuration.
    ///
    /// - Throws: one error with every problem found.
    package consuming func load() throws(ConfigurationError) -> LoadedConfiguration {
        readDefaults()
        if let file { readYAML(name: file.name, text: file.text) }
        readEnvironment()
        for (key, option, value) in options { values[key] = (.text(value), .option(option)) }
        var configuration = Configuration()
        for key in ConfigurationSchema.keys { apply(key, to: &configuration) }
        let origins = values.mapValues(\.origin)
        // A rule over several keys is only asked where each of them could be read.
        let broken = Set(problems.map(\.key))
        problems += ConfigurationRules.problems(configuration, origins: origins, feedIsTape: feedIsTape, except: broken)
        guard problems.isEmpty else { throw ConfigurationError(problems: problems) }
        return LoadedConfiguration(
            configuration: configuration,
            origins: Dictionary(
                uniqueKeysWithValues: ConfigurationSchema.keys.map { ($0.name, origins[$0.name] ?? .builtIn) }
            ),
            file: file?.name
        )
    }

    private mutating func readDefaults() {
        for key in ConfigurationSchema.keys where !key.defaultText.isEmpty {
            let text = key.defaultText
            let isList = text.hasPrefix("[")
            let items = ConfigurationInput.text(String(text.dropFirst().dropLast())).items
            values[key.name] = (isList ? .list(items) : .text(text), .builtIn)
        }
    }

    private mutating func apply(_ key: ConfigurationKey, to configuration: inout Configuration) {
        guard let (input, origin) = values[key.name] else { return }
        // An empty text unsets a key that has no default: `STRIKETAPE_REDIS_URL=` means no Redis.
        if input == .text(""), key.defaultText.isEmpty { return }
        guard let message = key.read(input, &configuration) else { return }
        problems.append(
            ConfigurationProblem(
                key: key.name,
                message: message,
                allowed: key.allowed,
                found: key.isSecret ? "\(Secret(""))" : input.shown,
                origin: origin
            )
        )
    }

    private mutating func readEnvironment() {
        let byVariable = Dictionary(
            uniqueKeysWithValues: ConfigurationSchema.keys.map { ($0.environmentName, $0) }
        )
        let variables = environment.filter { $0.key.hasPrefix(ConfigurationSchema.environmentPrefix) }
        for (variable, value) in variables.sorted(by: { $0.key < $1.key }) {
            if let key = byVariable[variable] {
                values[key.name] = (.text(value), .environment(variable))
            } else if variable.hasSuffix("_FILE"), let key = byVariable[String(variable.dropLast("_FILE".count))] {
                readSecretFile(key, variable: variable, path: value)
            } else {
                let known = Suggestion.nearest(to: variable, among: byVariable.keys)
                guard known != nil || ConfigurationSchema.isMeantAsKey(variable) else { continue }
                refuse(variable, "is no variable of ours" + Suggestion.sentence(known), .environment(variable))
            }
        }
    }

    private mutating func readSecretFile(_ key: ConfigurationKey, variable: String, path: String) {
        let origin = ConfigurationOrigin.secretFile(variable: variable, path: path)
        guard environment[key.environmentName] == nil else {
            refuse(key.name, "is set twice, by \(key.environmentName) and by \(variable)", origin)
            return
        }
        switch readFile(path) {
        case .success(let text):
            // Editors and `echo` end a file with a line feed, which is no part of the secret.
            var trimmed = text[...]
            while let last = trimmed.last, last.isNewline { trimmed = trimmed.dropLast() }
            values[key.name] = (.text(String(trimmed)), origin)
        case .failure(let error):
            refuse(key.name, error.description, origin)
        }
    }

    private mutating func refuse(_ key: String, _ message: String, _ origin: ConfigurationOrigin) {
        problems.append(ConfigurationProblem(key: key, message: message, origin: origin))
    }
}

// MARK: - YAML

extension ConfigurationLoader {
    private mutating func readYAML(name: String, text: String) {
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            // Not the library's own text: it shows the line, which may hold a secret.
            let (line, message) = Self.position(of: error)
            refuse(name, message, .file(name: name, line: line))
            return
        }
        guard let root, root.null == nil else { return }
        guard case .mapping(let sections) = root else {
            refuse(name, "is not a map of sections", .file(name: name, line: 1))
            return
        }
        for (sectionNode, content) in sections {
            let section = sectionNode.string ?? "?"
            let origin = ConfigurationOrigin.file(name: name, line: Self.line(sectionNode))
            guard ConfigurationSchema.sections.contains(where: { $0.name == section }) else {
                let known = Suggestion.nearest(to: section, among: ConfigurationSchema.sections.map(\.name))
                refuse(section, "is no section" + Suggestion.sentence(known), origin)
                continue
            }
            if content.null != nil, content.string?.isEmpty ?? true { continue }
            guard case .mapping(let entries) = content else {
                refuse(section, "is a section and holds keys, not a value", origin)
                continue
            }
            for (keyNode, value) in entries { readEntry(section: section, keyNode, value, file: name) }
        }
    }

    private mutating func readEntry(section: String, _ keyNode: Node, _ value: Node, file: String) {
        let name = "\(section).\(keyNode.string ?? "?")"
        let origin = ConfigurationOrigin.file(name: file, line: Self.line(keyNode))
        guard let key = ConfigurationSchema.byName[name] else {
            let known = Suggestion.nearest(to: name, among: ConfigurationSchema.byName.keys)
            refuse(name, "is no key" + Suggestion.sentence(known), origin)
            return
        }
        switch value {
        case .scalar(let scalar):
            // `key:` with nothing behind it leaves the default.
            if value.null != nil, scalar.style == .any || scalar.style == .plain { return }
            values[key.name] = (.text(scalar.string), origin)
        case .sequence(let items):
            let texts = items.compactMap(\.string)
            guard texts.count == items.count else {
                refuse(name, "has an item that is no text", origin)
                return
            }
            values[key.name] = (.list(texts), origin)
        case .mapping, .alias:
            refuse(name, "is neither a value nor a list", origin)
        }
    }

    private static func line(_ node: Node) -> Int { node.mark?.line ?? 1 }

    private static func position(of error: any Error) -> (line: Int, message: String) {
        guard let error = error as? YamlError else { return (1, "is not YAML") }
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            return (mark.line, "is not YAML: \(problem)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            return (context.mark.line, "has a key twice: \(duplicates.joined(separator: ", "))")
        default:
            return (1, "is not YAML")
        }
    }
}
