internal import Network
internal import Primitives

// The scenario: moods that begin and end.
extension SimulatedMarket {
    /// Lets everything begin and end that is due at a market time, or on the wall.
    func advanceScenario(to market: Instant) {
        guard let origin, !steps.isEmpty || !endings.isEmpty else { return }
        let marketSeconds = Double(market.nanos(since: origin.market)) / 1e9
        let wallSeconds = Double(SystemClock.monotonicNanos() - origin.loop) / 1e9
        func now(_ step: ScenarioStep) -> Double { step.clock == .market ? marketSeconds : wallSeconds }
        let over = endings.filter { $0.at <= now($0.step) }
        if !over.isEmpty {
            endings.removeAll { $0.at <= now($0.step) }
            for ending in over { end(ending.step) }
        }
        let due = steps.filter { $0.at <= now($0) }
        guard !due.isEmpty else { return }
        steps.removeAll { $0.at <= now($0) }
        for step in due {
            start(step)
            if let seconds = step.seconds { endings.append((step.at + seconds, step)) }
        }
    }

    /// Lets a mood begin.
    func start(_ step: ScenarioStep) {
        counters.moods += 1
        let kind = step.provider
        if !step.mood.isMoment { moods[kind, default: MoodSet()].insert(step.mood) }
        switch step.mood {
        case .halfOpen: each(kind) { $0.freeze() }
        case .fragments: each(kind) { $0.fragments = true }
        case .reset: each(kind) { $0.reset() }
        case .abort: each(kind) { $0.end() }
        case .close1008: each(kind) { $0.close(1_008) }
        case .close1012: each(kind) { $0.close(1_012, "restart") }
        case .close1013: each(kind) { $0.close(1_013, "overload") }
        case .brokenFrame: each(kind) { deliver(Array(#"[{"ev":"T","sym":"SPY","p":1"#.utf8), to: $0) }
        case .restart:
            bridgeLife += 1
            let away = step.seconds ?? 5
            // A length is in the step's own time; the bridge is away on the wall.
            let wall = step.clock == .market ? away / (options.speed ?? 1) : away
            bridgeAwayUntil = SystemClock.monotonicNanos() + Int64(wall * 1e9)
            each(kind) { $0.close(1_012, "bridge restart") }
        case .notAuthorized: refusedChannel = step.subject ?? "NOI"
        case .latePrints: model?.options.lateShare = 0.03
        case .clockSkew: encoder?.skewNanos = Int64((step.amount ?? 1_500) * 1e6)
        case .burst: setBurst(step.amount ?? 1_000_000)
        case .halt:
            let name = step.subject ?? model?.options.symbols.first ?? ""
            guard let symbol = model?.instruments.byTicker[name] else { return }
            model?.requestHalt(symbol, nanos: Int64((step.seconds ?? 300) * 1e9))
        default: strikeBridge(step)
        }
    }

    private func strikeBridge(_ step: ScenarioStep) {
        guard step.provider == .bridge, let model else { return }
        each(.bridge) { socket in
            guard let client = socket.session as? BridgeClient else { return }
            act(client.session.strike(step.mood, model, at: moment), on: socket)
        }
    }

    private func setBurst(_ events: Double?) {
        guard let model, let events else {
            model?.setRateFactor(1)
            return
        }
        self.model?.setRateFactor(max(1, events / model.options.rate))
    }

    /// Lets a mood end.
    func end(_ step: ScenarioStep) {
        moods[step.provider]?.remove(step.mood)
        switch step.mood {
        case .fragments: each(step.provider) { $0.fragments = false }
        case .latePrints: model?.options.lateShare = 0
        case .clockSkew: encoder?.skewNanos = 0
        case .burst: setBurst(nil)
        default:
            guard step.provider == .bridge, let model else { return }
            each(.bridge) { socket in
                guard let client = socket.session as? BridgeClient else { return }
                act(client.session.recover(from: step.mood, model, at: moment), on: socket)
            }
        }
    }

    /// Every open WebSocket of a provider, in order of arrival.
    private func each(_ kind: SimulatedKind, _ body: (SimulatedSocket) -> Void) {
        for socket in ordered where socket.isWebSocket && (socket.session as? any SimulatedClient)?.kind == kind {
            body(socket)
        }
    }
}
