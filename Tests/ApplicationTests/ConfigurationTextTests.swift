import Application
import Foundation
import Telemetry
import Testing

@Suite struct ConfigurationTextTests {
    private static let canary = "canary-0123456789"

    private func load(_ environment: [String: String], yaml: String? = nil) throws -> LoadedConfiguration {
        try ConfigurationLoader(file: yaml.map { (name: "t.yaml", text: $0) }, environment: environment).load()
    }

    @Test func theCommentedFileIsTheDefaults() throws {
        let template = ConfigurationText.template
        #expect(try load([:], yaml: template).configuration == load([:]).configuration)
        for key in ConfigurationSchema.keys { #expect(template.contains("\(key.leaf):"), "\(key.name)") }
    }

    @Test func theFileInTheRepositoryIsUpToDate() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let file = try String(contentsOf: root.appendingPathComponent("config/striketape.yaml"), encoding: .utf8)
        #expect(file == ConfigurationText.template, "write it again with `striketape config init --force`")
    }

    @Test func whatIsShownReadsBackAsTheSame() throws {
        let environment = [
            "STRIKETAPE_POLYGON_SYMBOLS": "SPY,I:SPX", "STRIKETAPE_GATEWAY_LISTEN": "[::1]:8700",
            "STRIKETAPE_STATE_DIR": "/var/lib/a b \"c\"", "STRIKETAPE_REDIS_URL": "redis://host:6379/2",
            "STRIKETAPE_GATEWAY_ALLOWED_ORIGINS": "https://a.example,http://localhost:3000",
        ]
        let loaded = try load(environment)
        #expect(try load([:], yaml: ConfigurationText.yaml(loaded)).configuration == loaded.configuration)
    }

    @Test func noSecretIsEverShown() throws {
        let loaded = try load([
            "STRIKETAPE_POLYGON_API_KEY": Self.canary, "STRIKETAPE_GATEWAY_API_KEY": Self.canary,
            "STRIKETAPE_REDIS_URL": "redis://user:\(Self.canary)@127.0.0.1:6379/0",
        ])
        var dumped = ""
        dump(loaded, to: &dumped)
        let shown = [
            ConfigurationText.yaml(loaded), ConfigurationText.json(loaded), "\(loaded)", String(reflecting: loaded),
            dumped,
        ]
        for text in shown {
            #expect(!text.contains(Self.canary))
            #expect(text.contains("[redacted]"))
        }
        #expect(ConfigurationText.yaml(loaded).contains("redis://user:[redacted]@127.0.0.1:6379/0"))
        let redactor = SecretRedactor()
        loaded.configuration.registerSecrets(with: redactor)
        #expect(redactor.redact("key=\(Self.canary)") == "key=[redacted]")
    }

    @Test(arguments: [
        ["STRIKETAPE_POLYGON_API_KEY": "\(canary) with space"], ["STRIKETAPE_REDIS_URL": "http://u:\(canary)@h"],
        ["STRIKETAPE_REDIS_URL": "\(canary)"],
    ])
    func noSecretIsInAnError(environment: [String: String]) {
        let error = #expect(throws: ConfigurationError.self) { try self.load(environment) }
        #expect(error?.description.contains(Self.canary) == false)
        #expect(error?.description.contains("found: [redacted]") == true)
    }

    @Test(arguments: [
        "polygon:\n  apiKey: \"\(canary)\n", "polygon:\n  apiKey: \(canary)\n\tx: 1",
        "polygon:\n  apiKey: {a: \(canary)}",
        "polygon:\n  apiKey: [\(canary)]", "polygon: \(canary)",
    ])
    func noSecretIsInAnErrorAboutTheFile(yaml: String) {
        let error = #expect(throws: ConfigurationError.self) { try self.load([:], yaml: yaml) }
        #expect(error?.description.contains(Self.canary) == false)
    }

    @Test func jsonIsJSON() throws {
        let json = ConfigurationText.json(try load([:]))
        let object = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: [String: Any]])
        #expect(object.count == ConfigurationSchema.keys.count)
        #expect(object["engine.publishMs"]?["value"] as? String == "50")
        #expect(object["redis.url"]?["value"] is NSNull)
    }
}
