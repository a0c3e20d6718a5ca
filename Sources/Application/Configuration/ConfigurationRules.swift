/// The rules that join several keys.
enum ConfigurationRules {
    static func problems(
        _ configuration: Configuration,
        origins: [String: ConfigurationOrigin],
        feedIsTape: Bool,
        except broken: Set<String>
    ) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        func refuse(_ key: String, with others: [String] = [], _ message: String, found: String) {
            guard broken.isDisjoint(with: [key] + others) else { return }
            let origin = origins[key] ?? .builtIn
            problems.append(ConfigurationProblem(key: key, message: message, found: found, origin: origin))
        }
        let gateway = configuration.gateway
        if !gateway.listen.isLoopback, gateway.apiKey == nil {
            let message = "can be reached from other machines and needs gateway.apiKey"
            refuse("gateway.listen", with: ["gateway.apiKey"], message, found: "\(gateway.listen)")
        }
        for (key, address) in [
            ("admin.listen", configuration.admin.listen), ("simulate.listen", configuration.simulate.listen),
        ] where !address.isLoopback {
            refuse(key, "asks for no key, so it must be on loopback", found: "\(address)")
        }
        if let url = configuration.polygon.url {
            let isRemote = !url.isLoopback && !feedIsTape
            if isRemote, url.scheme == "ws" {
                refuse("polygon.url", "sends the key in the clear; use wss://", found: "\(url)")
            }
            if isRemote, configuration.engine.clock == .exchange {
                let message = "is for recorded tapes: polygon.url is not on loopback (\(url))"
                refuse("engine.clock", with: ["polygon.url"], message, found: "exchange")
            }
        }
        for (key, url, hasSecret) in [
            ("polygon.restUrl", configuration.polygon.restURL, true), ("uw.url", configuration.uw.url, true),
            ("uw.restUrl", configuration.uw.restURL, true),
            ("ib.url", configuration.ib.url, configuration.ib.token != nil),
        ] {
            guard let url, !url.isLoopback, hasSecret, ["ws", "http"].contains(url.scheme) else { continue }
            refuse(key, "sends the key in the clear; use \(url.scheme)s://", found: "\(url)")
        }
        if configuration.engine.clock == .exchange, !feedIsTape {
            for (key, url, isUsed) in [
                ("uw.url", configuration.uw.url, configuration.uw.token != nil),
                ("ib.url", configuration.ib.url, configuration.ib.url != nil),
            ] where isUsed && url?.isLoopback == false {
                refuse(
                    "engine.clock",
                    with: [key],
                    "is for recorded tapes: \(key) is not on loopback",
                    found: "exchange"
                )
            }
        }
        if configuration.polygon.symbols.count > configuration.engine.maxSymbols {
            let found = "\(configuration.polygon.symbols.count) symbols"
            let message = "has more than engine.maxSymbols (\(configuration.engine.maxSymbols))"
            refuse("polygon.symbols", with: ["engine.maxSymbols"], message, found: found)
        }
        if let record = configuration.tape.recordDir,
            [configuration.state.dir, configuration.state.dir + "/tape"].contains(record)
        {
            let message = "is where the run keeps its own tape (state.dir)"
            refuse("tape.recordDir", with: ["state.dir"], message, found: record)
        }
        problems += portProblems(configuration, origins: origins, except: broken)
        return problems
    }

    private static func portProblems(
        _ configuration: Configuration,
        origins: [String: ConfigurationOrigin],
        except broken: Set<String>
    ) -> [ConfigurationProblem] {
        let listeners = [
            ("gateway.listen", configuration.gateway.listen), ("admin.listen", configuration.admin.listen),
            ("simulate.listen", configuration.simulate.listen),
        ]
        var problems: [ConfigurationProblem] = []
        for (index, later) in listeners.enumerated() where later.1.port != 0 {
            for earlier in listeners[..<index] where earlier.1.port == later.1.port {
                guard broken.isDisjoint(with: [earlier.0, later.0]) else { continue }
                problems.append(
                    ConfigurationProblem(
                        key: later.0,
                        message: "has the same port as \(earlier.0)",
                        found: "\(later.1)",
                        origin: origins[later.0] ?? .builtIn
                    )
                )
            }
        }
        return problems
    }

    /// What a valid configuration lacks for a live run; told by `config check`, refused by `run`.
    static func missingForRun(_ configuration: Configuration) -> [String] {
        var missing: [String] = []
        let hasPolygon = !configuration.polygon.markets.isEmpty
        if hasPolygon, configuration.polygon.apiKey == nil, !(configuration.polygon.url?.isLoopback ?? false) {
            missing.append("polygon.apiKey is not set: a live run needs it")
        }
        if configuration.polygon.symbols.isEmpty {
            missing.append("polygon.symbols is empty: nothing would be followed")
        }
        if !hasPolygon, configuration.ib.url == nil, configuration.uw.token == nil {
            missing.append("polygon.markets is empty and neither ib.url nor uw.token is set: nothing would connect")
        }
        return missing
    }
}

extension Configuration {
    /// What this valid configuration lacks for a live run, one sentence each.
    package var missingForRun: [String] { ConfigurationRules.missingForRun(self) }
}

/// The nearest known name to a misspelt one.
enum Suggestion {
    static func nearest(to name: String, among known: some Sequence<String>) -> String? {
        let limit = max(2, name.count / 4)
        let wanted = leaf(name)
        // The right name in the wrong section counts as near.
        let ranked = known.map { candidate in
            (leaf(candidate) == wanted && candidate.contains(".") ? 1 : distance(name, candidate), candidate)
        }
        guard let best = ranked.min(by: { $0 < $1 }), best.0 <= limit else { return nil }
        return best.1
    }

    static func sentence(_ known: String?) -> String { known.map { "; did you mean \($0)?" } ?? "" }

    private static func leaf(_ name: String) -> String {
        name.split(separator: ".").last.map { $0.lowercased() } ?? ""
    }

    /// Levenshtein distance without regard to case.
    private static func distance(_ a: String, _ b: String) -> Int {
        let a = Array(a.lowercased().utf8)
        let b = Array(b.lowercased().utf8)
        var row = Array(0...b.count)
        for i in a.indices {
            var diagonal = row[0]
            row[0] = i + 1
            for j in b.indices {
                let above = row[j + 1]
                row[j + 1] = min(diagonal + (a[i] == b[j] ? 0 : 1), above + 1, row[j] + 1)
                diagonal = above
            }
        }
        return row[b.count]
    }
}
