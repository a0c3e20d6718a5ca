package import Logging
package import Telemetry

/// The process's log: one backend, one redactor.
package struct LogSetup: Sendable {
    package let redactor: SecretRedactor
    private let handler: @Sendable (String) -> StructuredLogHandler

    /// A log as configured; knows every secret of the configuration from its first line on.
    package init(_ configuration: Configuration, sink: any LogSink, redactor: SecretRedactor = SecretRedactor()) {
        configuration.registerSecrets(with: redactor)
        self.redactor = redactor
        let level = Logger.Level(rawValue: configuration.log.level.rawValue) ?? .info
        let format = configuration.log.format
        handler = { _ in StructuredLogHandler(level: level, format: format, redactor: redactor, sink: sink) }
    }

    /// The logger of one part of the program; `label` appears in no line.
    package func logger(_ label: String) -> Logger { Logger(label: label, factory: handler) }
}
