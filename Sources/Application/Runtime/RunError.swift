/// A run that can't start, with what to do about it.
package struct RunError: Error, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
