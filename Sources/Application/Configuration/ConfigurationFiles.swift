internal import Foundation
internal import Glibc

/// Why a configuration or secret file couldn't be read.
package struct ConfigurationFileError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// Reads configuration and secret files.
package enum ConfigurationFiles {
    /// A larger file is no configuration.
    package static let lengthLimit = 1 << 20

    /// The text of a file, at most `lengthLimit` bytes of UTF-8.
    package static let read: @Sendable (String) -> Result<String, ConfigurationFileError> = { path in
        guard let stream = fopen(path, "r") else {
            return .failure(ConfigurationFileError("can't read \(path): \(String(cString: strerror(errno)))"))
        }
        defer { fclose(stream) }
        var bytes = [UInt8](repeating: 0, count: lengthLimit + 1)
        let count = fread(&bytes, 1, bytes.count, stream)
        guard ferror(stream) == 0 else {
            return .failure(ConfigurationFileError("can't read \(path): \(String(cString: strerror(errno)))"))
        }
        guard count <= lengthLimit else {
            return .failure(ConfigurationFileError("\(path) is larger than \(lengthLimit) bytes"))
        }
        guard let text = String(validating: bytes[..<count], as: UTF8.self) else {
            return .failure(ConfigurationFileError("\(path) is not UTF-8"))
        }
        return .success(text)
    }

    /// Writes a file that only its owner can read.
    ///
    /// - Throws: where it can't be written, or exists and `overwrite` isn't set.
    package static func write(_ text: String, to path: String, overwrite: Bool) throws(ConfigurationFileError) {
        let flags = O_CREAT | O_WRONLY | (overwrite ? O_TRUNC : O_EXCL)
        let descriptor = open(path, flags, 0o600)
        guard descriptor >= 0 else {
            if errno == EEXIST { throw ConfigurationFileError("\(path) exists; --force overwrites it") }
            throw ConfigurationFileError("can't write \(path): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard written > 0 else {
                throw ConfigurationFileError("can't write \(path): \(String(cString: strerror(errno)))")
            }
            rest = rest.dropFirst(written)
        }
    }

    /// Loads the configuration of this process: `path` (or `STRIKETAPE_CONFIG`) and the environment.
    ///
    /// Without a path only environment and defaults count; no file is looked for in unexpected places.
    package static func load(
        path: String?,
        options: [(key: String, option: String, value: String)] = [],
        feedIsTape: Bool = false
    ) throws(ConfigurationError) -> LoadedConfiguration {
        let environment = ProcessInfo.processInfo.environment
        let path = path ?? environment["STRIKETAPE_CONFIG"]
        var loader = ConfigurationLoader(environment: environment)
        if let path {
            switch read(path) {
            case .success(let text): loader.file = (name: path, text: text)
            case .failure(let error):
                let origin = ConfigurationOrigin.option("--config")
                throw ConfigurationError(problems: [
                    ConfigurationProblem(key: path, message: error.description, origin: origin)
                ])
            }
        }
        loader.options = options
        loader.feedIsTape = feedIsTape
        return try loader.load()
    }
}
