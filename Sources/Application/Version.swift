/// The version of this program.
package enum Version {
    /// Semantic version; CHANGELOG.md says what each one brought.
    package static let current = "0.1.0"
}
