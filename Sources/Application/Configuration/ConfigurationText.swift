/// The configuration as text for people and programs; secrets are never in it.
package enum ConfigurationText {
    /// The commented default file that `config init` writes and `config/striketape.yaml` is.
    package static var template: String {
        var lines = [
            "# Configuration of Striketape.",
            "#",
            "# Each key can also be set by an environment variable, which counts more than this file: STRIKETAPE_ and the",
            "# key in upper snake case (gateway.flushMs: STRIKETAPE_GATEWAY_FLUSH_MS), or the same name with _FILE behind",
            "# it, which names a file that holds the value. Keep secrets in such files, readable by you alone (mode 0600).",
            "#",
            "# Every key is shown with its default. Check a change with `striketape config check --config FILE`.",
        ]
        for (section, help) in ConfigurationSchema.sections {
            lines += ["", "# \(help)", "\(section):"]
            for key in ConfigurationSchema.keys where key.section == section {
                lines += ["  # \(key.help)", "  # Allowed: \(key.allowed)."]
                let unset = key.defaultText.isEmpty
                lines.append(unset ? "  # \(key.leaf): (not set)" : "  \(key.leaf): \(key.defaultText)")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// What is in force, as YAML, each value with its origin.
    package static func yaml(_ loaded: LoadedConfiguration) -> String {
        var lines: [String] = []
        for (section, _) in ConfigurationSchema.sections {
            lines.append("\(section):")
            for key in ConfigurationSchema.keys where key.section == section {
                let value = key.show(loaded.configuration)
                let origin = loaded.origins[key.name] ?? .builtIn
                lines.append(value.isEmpty ? "  # \(key.leaf): (not set)" : "  \(key.leaf): \(value)  # \(origin)")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// What is in force, as one JSON object: key → value (as YAML text; null where it isn't set) and origin.
    package static func json(_ loaded: LoadedConfiguration) -> String {
        let entries = ConfigurationSchema.keys.map { key in
            let value = key.show(loaded.configuration)
            let origin = (loaded.origins[key.name] ?? .builtIn).description
            let shown = value.isEmpty ? "null" : JSONLine.quoted(value)
            return "\(JSONLine.quoted(key.name)):{\"value\":\(shown),\"origin\":\(JSONLine.quoted(origin))}"
        }
        return "{\(entries.joined(separator: ","))}"
    }
}
