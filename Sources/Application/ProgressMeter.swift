internal import Glibc

/// How progress is shown.
package enum ProgressStyle: Sendable, Equatable {
    /// A bar that is redrawn in place, for a terminal.
    case bar
    /// A line at each tenth, for a log.
    case lines
    case silent

    /// The style for standard error as it is.
    package static func suited(quiet: Bool) -> ProgressStyle {
        if quiet { return .silent }
        return isatty(STDERR_FILENO) == 1 ? .bar : .lines
    }
}

/// Shows how far long work is, on standard error.
///
/// Decides by the amounts alone, so it needs no clock: a bar changes at each hundredth, lines come at each tenth. One
/// thread at a time.
package struct ProgressMeter: ~Copyable {
    private let label: String
    private let total: Int64
    private let style: ProgressStyle
    private let write: (String) -> Void
    private var shown: Int64 = -1

    /// A meter for `total` units of work (at least 1) named `label`.
    package init(
        label: String,
        total: Int64,
        style: ProgressStyle,
        write: @escaping (String) -> Void = ProgressMeter.standardError
    ) {
        self.label = label
        self.total = max(1, total)
        self.style = style
        self.write = write
    }

    /// Tells that `done` units are done, of `total`.
    package mutating func update(_ done: Int64) {
        let percent = Int64(Double(min(max(0, done), total)) / Double(total) * 100)
        switch style {
        case .silent: return
        case .bar:
            guard percent > shown else { return }
            shown = percent
            let filled = Int(percent) * 30 / 100
            let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: 30 - filled)
            // Return, text, erase the rest of the line.
            write("\r\(label) \(bar) \(percent) %\u{1B}[K")
        case .lines:
            guard percent / 10 > shown / 10 || shown < 0 else { return }
            shown = percent
            write("\(label): \(percent) %\n")
        }
    }

    /// Ends the display; `summary` stays as its last line.
    package consuming func finish(_ summary: String) {
        switch style {
        case .silent: return
        case .bar: write("\r\u{1B}[K\(label): \(summary)\n")
        case .lines: write("\(label): \(summary)\n")
        }
    }

    /// Writes to standard error.
    package static let standardError: @Sendable (String) -> Void = { text in
        var text = text
        text.withUTF8 { bytes in _ = Glibc.write(STDERR_FILENO, bytes.baseAddress, bytes.count) }
    }
}
