extension FeedSource {
    /// The source's name on a tape, as constant bytes: what the tape's writer and parser compare with.
    ///
    /// Part of the tape's format, so the providers' words stay here, the one table of them.
    public var tapeText: StaticString {
        switch self {
        case .stocks: "polygon.stocks"
        case .options: "polygon.options"
        case .indices: "polygon.indices"
        case .flow: "uw"
        case .bridge: "ib"
        }
    }

    /// The source's name on a tape and in a hit's `why`.
    public var tapeName: String { "\(tapeText)" }

    /// The source that a tape's `src` names.
    public init?(tapeName: some StringProtocol) {
        guard let source = Self.allCases.first(where: { $0.tapeName == tapeName }) else { return nil }
        self = source
    }
}
