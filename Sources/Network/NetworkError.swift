/// What went wrong in this target: a small code, where, and the cause in words.
package struct NetworkError: Error, Equatable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// The loop has ended, or its job queue is full.
        case loopUnavailable
        /// The address is taken, not ours, or not allowed.
        case cannotListen
        /// A certificate, key or CA file is missing or unusable.
        case badTLSFile
        /// The library refused to set up a context or virtual host.
        case cannotSetUp
        /// An address that is not of the form that we take.
        case badAddress
    }

    package let code: Code
    /// The loop, address or file that it is about.
    package let place: String
    package let cause: String

    package init(_ code: Code, place: String, cause: String) {
        self.code = code
        self.place = place
        self.cause = cause
    }

    package var description: String { "\(code.rawValue) (\(place)): \(cause)" }
}
