/// A value before it is read: YAML scalars and environment texts alike.
package enum ConfigurationInput: Sendable, Equatable {
    case text(String)
    case list([String])

    var shown: String {
        switch self {
        case .text(let text): text
        case .list(let items): "[\(items.joined(separator: ", "))]"
        }
    }

    /// The items of a list; an environment text lists them with commas.
    var items: [String] {
        switch self {
        case .list(let items): items
        case .text(let text):
            text.split(separator: ",").map { item in
                String(item.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
            }
        }
    }
}

/// One key: its name, what it means, what it may be, how it is read and shown.
package struct ConfigurationKey: Sendable {
    /// Section and name: `gateway.flushMs`.
    package let name: String
    /// What it does, one line a sentence, for the commented file.
    package let help: String
    /// The range or form, for people.
    package let allowed: String
    /// The default as YAML; empty where the key has none.
    package let defaultText: String
    package let isSecret: Bool
    /// Puts a value into the configuration, or says what is wrong with it.
    let read: @Sendable (ConfigurationInput, inout Configuration) -> String?
    /// The value as YAML, secrets redacted; empty where it isn't set.
    let show: @Sendable (Configuration) -> String

    /// The key's environment variable: `gateway.flushMs` → `STRIKETAPE_GATEWAY_FLUSH_MS`.
    package var environmentName: String {
        var result = ConfigurationSchema.environmentPrefix
        var previousIsLower = false
        for character in name {
            if character == "." {
                result += "_"
            } else {
                if character.isUppercase, previousIsLower { result += "_" }
                result += character.uppercased()
            }
            previousIsLower = character.isLowercase
        }
        return result
    }

    /// The part before the dot.
    package var section: Substring { name.prefix { $0 != "." } }
    /// The part behind the dot.
    package var leaf: Substring { name.drop { $0 != "." }.dropFirst() }
}

typealias ConfigurationPath<Value> = any WritableKeyPath<Configuration, Value> & Sendable

extension ConfigurationKey {
    /// A whole number within a range.
    static func integer(
        _ name: String,
        _ path: ConfigurationPath<Int>,
        _ range: ClosedRange<Int>,
        multipleOf step: Int = 1,
        default value: Int,
        _ help: String
    ) -> ConfigurationKey {
        let steps = step > 1 ? ", a multiple of \(step)" : ""
        return ConfigurationKey(
            name: name,
            help: help,
            allowed: "\(range.lowerBound)…\(range.upperBound)\(steps)",
            defaultText: String(value),
            isSecret: false,
            read: { input, configuration in
                guard case .text(let text) = input, let number = Int(text) else { return "is not a whole number" }
                guard range.contains(number), number.isMultiple(of: step) else { return "is out of range" }
                configuration[keyPath: path] = number
                return nil
            },
            show: { String($0[keyPath: path]) }
        )
    }

    /// One of a few words.
    static func choice<Value: RawRepresentable<String> & CaseIterable & Sendable>(
        _ name: String,
        _ path: ConfigurationPath<Value>,
        default value: Value,
        _ help: String
    ) -> ConfigurationKey {
        ConfigurationKey(
            name: name,
            help: help,
            allowed: Value.allCases.map(\.rawValue).joined(separator: " | "),
            defaultText: value.rawValue,
            isSecret: false,
            read: { input, configuration in
                guard case .text(let text) = input, let choice = Value(rawValue: text) else {
                    return "is none of the allowed words"
                }
                configuration[keyPath: path] = choice
                return nil
            },
            show: { $0[keyPath: path].rawValue }
        )
    }

    /// A list whose items are read one by one; no item twice.
    static func list<Value: Hashable & Sendable>(
        _ name: String,
        _ path: ConfigurationPath<[Value]>,
        allowed: String,
        default value: String,
        item: @escaping @Sendable (String) -> Value?,
        text: @escaping @Sendable (Value) -> String,
        _ help: String
    ) -> ConfigurationKey {
        ConfigurationKey(
            name: name,
            help: help,
            allowed: allowed,
            defaultText: value,
            isSecret: false,
            read: { input, configuration in
                var values: [Value] = []
                for raw in input.items {
                    guard let value = item(raw) else { return "has the bad item '\(raw)'" }
                    guard !values.contains(value) else { return "has the item '\(raw)' twice" }
                    values.append(value)
                }
                configuration[keyPath: path] = values
                return nil
            },
            show: { "[\($0[keyPath: path].map { Self.yaml(text($0)) }.joined(separator: ", "))]" }
        )
    }

    /// A secret of at least `minimum` visible ASCII characters.
    static func secret(
        _ name: String,
        _ path: ConfigurationPath<Secret?>,
        minimum: Int,
        _ help: String
    ) -> ConfigurationKey {
        ConfigurationKey(
            name: name,
            help: help,
            allowed: "at least \(minimum) visible ASCII characters",
            defaultText: "",
            isSecret: true,
            read: { input, configuration in
                guard case .text(let text) = input else { return "is not a text" }
                guard text.utf8.count >= minimum else { return "is too short" }
                guard text.utf8.count <= 4096 else { return "is too long" }
                guard text.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else { return "has a character that isn't allowed" }
                configuration[keyPath: path] = Secret(text)
                return nil
            },
            show: { $0[keyPath: path].map { "\"\($0)\"" } ?? "" }
        )
    }

    /// A URL of one of a few schemes; empty leaves the key unset where `isOptional`.
    static func url(
        _ name: String,
        _ path: ConfigurationPath<ServiceURL?>,
        schemes: [String],
        default value: String,
        isSecret: Bool,
        _ help: String
    ) -> ConfigurationKey {
        ConfigurationKey(
            name: name,
            help: help,
            allowed: schemes.map { "\($0)://…" }.joined(separator: " | "),
            defaultText: value,
            isSecret: isSecret,
            read: { input, configuration in
                guard case .text(let text) = input, let url = ServiceURL(text) else { return "is not a URL" }
                guard schemes.contains(url.scheme) else { return "has a scheme that isn't allowed" }
                guard url.scheme == "unix" ? url.path.count > 1 : !url.host.isEmpty else { return "names no host" }
                if let password = url.password, password.reveal().utf8.count < 6 { return "has too short a password" }
                configuration[keyPath: path] = url
                return nil
            },
            show: { $0[keyPath: path].map { Self.yaml($0.description) } ?? "" }
        )
    }

    /// An address to listen on.
    static func address(
        _ name: String,
        _ path: ConfigurationPath<ListenAddress>,
        default value: String,
        _ help: String
    ) -> ConfigurationKey {
        ConfigurationKey(
            name: name,
            help: help,
            allowed: "IP:PORT, PORT 0…65535 (0: the system picks one)",
            defaultText: value,
            isSecret: false,
            read: { input, configuration in
                guard case .text(let text) = input, let address = ListenAddress(text) else {
                    return "is not an address to listen on"
                }
                configuration[keyPath: path] = address
                return nil
            },
            show: { Self.yaml($0[keyPath: path].description) }
        )
    }

    /// A YAML scalar, quoted where YAML would read something else.
    static func yaml(_ text: String) -> String {
        let plain = text.utf8.allSatisfy { byte in
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                || "._/:-+@".utf8.contains(byte)
        }
        let safeStart = text.first.map { $0.isLetter || $0.isNumber || $0 == "/" || $0 == "." } ?? false
        if plain, safeStart, !text.hasSuffix(":") { return text }
        return "\"\(text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
    }
}
