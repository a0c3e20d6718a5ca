extension FeedSource {
    /// The source's name on a tape and in a hit's `why`: part of the tape's format, so the providers' words stay here.
    public var tapeName: String {
        switch self {
        case .stocks: "polygon.stocks"
        case .options: "polygon.options"
        case .indices: "polygon.indices"
        case .flow: "uw"
        case .bridge: "ib"
        }
    }

    /// The source that a tape's `src` names.
    public init?(tapeName: some StringProtocol) {
        guard let source = Self.allCases.first(where: { $0.tapeName == tapeName }) else { return nil }
        self = source
    }
}
