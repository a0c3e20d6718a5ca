import Application
import Testing

@Suite struct ConfigurationLoaderTests {
    private func load(
        _ yaml: String? = nil,
        _ environment: [String: String] = [:],
        files: [String: String] = [:]
    ) -> Result<LoadedConfiguration, ConfigurationError> {
        let loader = ConfigurationLoader(
            file: yaml.map { (name: "test.yaml", text: $0) },
            environment: environment,
            readFile: { path in
                files[path].map { .success($0) } ?? .failure(ConfigurationFileError("can't read \(path): No such file"))
            }
        )
        do { return .success(try loader.load()) } catch { return .failure(error) }
    }

    private func problems(
        _ yaml: String? = nil,
        _ environment: [String: String] = [:],
        files: [String: String] = [:]
    ) -> [String] {
        switch load(yaml, environment, files: files) {
        case .success: []
        case .failure(let error): error.problems.map(\.description)
        }
    }

    @Test func defaultsAreTheDocumentedOnes() throws {
        let configuration = try load().get().configuration
        #expect(configuration.polygon.url?.description == "wss://socket.massive.com")
        #expect(configuration.gateway.listen == ListenAddress(host: "127.0.0.1", port: 8700))
        #expect(configuration.admin.listen.port == 8701)
        #expect(configuration.simulate.listen.port == 8702)
        #expect(configuration.engine.clock == .wall)
        #expect(configuration.engine.publishMs == 50)
        #expect(configuration.engine.checkpointS == 60)
        #expect(configuration.nbbo.sampleMs == 250)
        #expect(configuration.nbbo.staleMs == 2000)
        #expect(configuration.nbbo.optionStaleMs == 15_000)
        #expect(configuration.redis.url == nil)
        #expect(configuration.engine.shardCount(processors: 1) == 1)
        #expect(configuration.engine.shardCount(processors: 8) == 7)
        #expect(configuration.gatewayHosts.contains("localhost:8700"))
        #expect(configuration.gatewayOrigins.contains("http://127.0.0.1:8700"))
    }

    @Test func environmentBeatsFileBeatsDefault() throws {
        let yaml = "engine:\n  publishMs: 100\n  checkpointS: 30\npolygon:\n  symbols: [SPY, I:SPX]\n"
        let loaded = try load(yaml, ["STRIKETAPE_ENGINE_PUBLISH_MS": "200", "OTHER": "x"]).get()
        #expect(loaded.configuration.engine.publishMs == 200)
        #expect(loaded.configuration.engine.checkpointS == 30)
        #expect(loaded.configuration.polygon.symbols == ["SPY", "I:SPX"])
        #expect(loaded.origins["engine.publishMs"] == .environment("STRIKETAPE_ENGINE_PUBLISH_MS"))
        #expect(loaded.origins["engine.checkpointS"] == .file(name: "test.yaml", line: 3))
        #expect(loaded.origins["engine.shards"] == .builtIn)
    }

    @Test func anOptionBeatsAll() throws {
        var loader = ConfigurationLoader(environment: ["STRIKETAPE_ENGINE_SHARDS": "2"])
        loader.options = [(key: "engine.shards", option: "--shards", value: "5")]
        let loaded = try loader.load()
        #expect(loaded.configuration.engine.shards == 5)
        #expect(loaded.origins["engine.shards"] == .option("--shards"))
    }

    @Test func listsComeFromTheEnvironmentWithCommas() throws {
        let loaded = try load(nil, ["STRIKETAPE_POLYGON_SYMBOLS": "SPY, QQQ,I:NDX"]).get()
        #expect(loaded.configuration.polygon.symbols == ["SPY", "QQQ", "I:NDX"])
        #expect(try load(nil, ["STRIKETAPE_POLYGON_SYMBOLS": ""]).get().configuration.polygon.symbols == [])
    }

    @Test func everyVariableNameIsUpperSnakeCase() {
        let names = ConfigurationSchema.keys.map(\.environmentName)
        #expect(Set(names).count == names.count)
        #expect(names.contains("STRIKETAPE_GATEWAY_FLUSH_MS"))
        #expect(names.contains("STRIKETAPE_POLYGON_API_KEY"))
        #expect(names.contains("STRIKETAPE_NBBO_OPTION_STALE_MS"))
        for name in names { #expect(name.allSatisfy { $0.isUppercase || $0 == "_" }) }
    }

    @Test func oneErrorListsEverything() {
        let yaml = """
            engine:
              publishMs: 70
              clokc: wall
              shards: many
            gateway:
              listen: 0.0.0.0:8700
            nonsense:
              a: 1
            """
        let found = problems(yaml, ["STRIKETAPE_LOG_LEVEL": "loud", "STRIKETAPE_GATEWAY_FLUSHMS": "1"])
        #expect(
            found == [
                "engine.clokc: is no key; did you mean engine.clock? (test.yaml:3)",
                "nonsense: is no section (test.yaml:7)",
                "STRIKETAPE_GATEWAY_FLUSHMS: is no variable of ours; did you mean STRIKETAPE_GATEWAY_FLUSH_MS?"
                    + " (environment STRIKETAPE_GATEWAY_FLUSHMS)",
                "engine.shards: is neither auto nor a whole number; allowed: auto | 1…256; found: many (test.yaml:4)",
                "engine.publishMs: is out of range; allowed: 50…60000, a multiple of 50; found: 70 (test.yaml:2)",
                "log.level: is none of the allowed words;"
                    + " allowed: trace | debug | info | notice | warning | error | critical; found: loud"
                    + " (environment STRIKETAPE_LOG_LEVEL)",
                "gateway.listen: can be reached from other machines and needs gateway.apiKey; found: 0.0.0.0:8700"
                    + " (test.yaml:6)",
            ]
        )
    }

    @Test func suggestsTheRightSectionToo() {
        #expect(
            problems("gateway:\n  shards: 2\n") == [
                "gateway.shards: is no key; did you mean engine.shards? (test.yaml:2)"
            ]
        )
    }

    @Test(arguments: [
        ("STRIKETAPE_POLYGON_URL", "http://host"), ("STRIKETAPE_POLYGON_URL", "nothing"),
        ("STRIKETAPE_POLYGON_URL", "wss://"), ("STRIKETAPE_POLYGON_SYMBOLS", "SPY,SP Y"),
        ("STRIKETAPE_POLYGON_SYMBOLS", "SPY,SPY"), ("STRIKETAPE_POLYGON_MARKETS", "stocks,forex"),
        ("STRIKETAPE_REDIS_URL", "rediss://host"), ("STRIKETAPE_REDIS_URL", "redis://u:abc@host"),
        ("STRIKETAPE_STATE_DIR", ""), ("STRIKETAPE_ENGINE_CLOCK", "WALL"), ("STRIKETAPE_ENGINE_SHARDS", "0"),
        ("STRIKETAPE_ENGINE_PUBLISH_MS", "-50"), ("STRIKETAPE_ENGINE_PUBLISH_MS", "99999999999999999999"),
        ("STRIKETAPE_ENGINE_PUBLISH_MS", "5e1"), ("STRIKETAPE_GATEWAY_LISTEN", "8700"),
        ("STRIKETAPE_GATEWAY_LISTEN", "127.0.0.1:65536"), ("STRIKETAPE_GATEWAY_LISTEN", "example.com:80"),
        ("STRIKETAPE_GATEWAY_LISTEN", "::1:8700"), ("STRIKETAPE_GATEWAY_API_KEY", "short"),
        ("STRIKETAPE_GATEWAY_ALLOWED_ORIGINS", "*"), ("STRIKETAPE_GATEWAY_ALLOWED_HOSTS", "a/b"),
        ("STRIKETAPE_ADMIN_LISTEN", "0.0.0.0:8701"), ("STRIKETAPE_SIMULATE_LISTEN", "10.0.0.1:8702"),
        ("STRIKETAPE_ADMIN_LISTEN", "127.0.0.1:8700"), ("STRIKETAPE_ENGINE_CLOCK", "exchange"),
        ("STRIKETAPE_POLYGON_URL", "ws://socket.massive.com"), ("STRIKETAPE_ENGINE_MAX_SYMBOLS", "1"),
    ])
    func refusesEachBadValue(variable: String, value: String) {
        #expect(problems(nil, [variable: value]).count == 1, "\(problems(nil, [variable: value]))")
    }

    @Test func exchangeClockNeedsALocalFeed() throws {
        let clock = ["STRIKETAPE_ENGINE_CLOCK": "exchange"]
        let local = clock.merging(["STRIKETAPE_POLYGON_URL": "ws://127.0.0.1:8702"]) { $1 }
        #expect(try load(nil, local).get().configuration.engine.clock == .exchange)
        var loader = ConfigurationLoader(environment: clock)
        loader.feedIsTape = true
        #expect(try loader.load().configuration.engine.clock == .exchange)
    }

    @Test func aKeyOpensTheGateway() throws {
        let environment = [
            "STRIKETAPE_GATEWAY_LISTEN": "0.0.0.0:8700", "STRIKETAPE_GATEWAY_API_KEY": "0123456789abcdef",
        ]
        #expect(try load(nil, environment).get().configuration.gateway.listen.isLoopback == false)
        // Where the key itself is bad, only that is said.
        let bad = environment.merging(["STRIKETAPE_GATEWAY_API_KEY": "0123"]) { $1 }
        #expect(problems(nil, bad).count == 1)
    }

    @Test func secretsComeFromFiles() throws {
        let variables = ["STRIKETAPE_POLYGON_API_KEY_FILE": "/run/key"]
        let loaded = try load(nil, variables, files: ["/run/key": "canary-key-1\n"]).get()
        #expect(loaded.configuration.polygon.apiKey?.reveal() == "canary-key-1")
        #expect(
            problems(nil, variables) == [
                "polygon.apiKey: can't read /run/key: No such file"
                    + " (/run/key (environment STRIKETAPE_POLYGON_API_KEY_FILE))"
            ]
        )
        let twice = variables.merging(["STRIKETAPE_POLYGON_API_KEY": "canary-key-2"]) { $1 }
        #expect(problems(nil, twice, files: ["/run/key": "canary-key-1"]).count == 1)
    }

    @Test(arguments: [
        "engine: [", "engine:\n\tshards: 1", "- a", "text", "engine: 5", "engine:\n  shards: {a: 1}",
        "engine:\n  shards: 1\n  shards: 2", "polygon:\n  symbols: [[SPY]]", "engine:\n  shards: [1]",
    ])
    func refusesYAMLThatIsNoConfiguration(yaml: String) {
        let found = problems(yaml)
        #expect(found.count == 1, "\(found)")
        #expect(found.allSatisfy { $0.contains("test.yaml:") }, "\(found)")
    }

    @Test(arguments: ["", "# only a comment\n", "engine:\n", "engine:\n  # shards: 2\nlog:\n", "engine:\n  shards:\n"])
    func emptyPartsLeaveTheDefaults(yaml: String) throws {
        #expect(try load(yaml).get().configuration == load().get().configuration)
    }

    @Test func foreignVariablesAreLeftAlone() {
        #expect(problems(nil, ["STRIKETAPE_SERVICE_HOST": "10.0.0.1", "STRIKETAPE_PORT_8700_TCP": "tcp://x"]) == [])
        #expect(problems(nil, ["STRIKETAPE_DATA": "/data", "STRIKETAPE_BIN": "x", "STRIKETAPE_CONFIG": "y"]) == [])
        #expect(problems(nil, ["STRIKETAPE_ENGINE_WHATEVER": "1"]).count == 1)
        #expect(problems(nil, ["STRIKETAPE_GATWAY_API_KEY": "1"]).count == 1)
    }

    @Test func saysWhatALiveRunLacks() throws {
        #expect(try load().get().configuration.missingForRun.count == 1)
        let local = ["STRIKETAPE_POLYGON_URL": "ws://127.0.0.1:8702"]
        #expect(try load(nil, local).get().configuration.missingForRun == [])
    }
}
