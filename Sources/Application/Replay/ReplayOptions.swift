/// What `striketape replay` was asked for.
package struct ReplayOptions: Sendable {
    package var files: [String]
    /// Tape seconds a second; nil: as fast as it goes.
    package var speed: Double?
    /// JSON array of plans, armed before the first event.
    package var plansFile: String?
    /// Every message, one envelope a line.
    package var outFile: String?
    /// Minutes of the day in New York at which every symbol's figures are read.
    package var checkpointMinutes: [Int]
    package var shards: Int
    /// What shapes the outputs; nil: as the tape's meta line says.
    package var settings: OutputSettings?
    /// The same for a tape without a meta line.
    package var fallback: OutputSettings

    package init(
        files: [String],
        speed: Double? = nil,
        plansFile: String? = nil,
        outFile: String? = nil,
        checkpointMinutes: [Int] = [],
        shards: Int = 1,
        settings: OutputSettings? = nil,
        fallback: OutputSettings = OutputSettings()
    ) {
        self.files = files
        self.speed = speed
        self.plansFile = plansFile
        self.outFile = outFile
        self.checkpointMinutes = checkpointMinutes
        self.shards = shards
        self.settings = settings
        self.fallback = fallback
    }
}

/// A replay that can't go on, or a plan file that can't be used.
package struct ReplayError: Error, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
