/// What became of a frame that was to be written.
package enum WriteResult: Sendable, Equatable {
    /// The kernel has all of it.
    case sent
    /// Taken, but a rest waits in the library; `writable` is called when it has gone.
    case buffered
    /// Not taken, as an earlier frame still waits; `writable` is called when it has gone. Nothing is lost.
    case pending
    /// The connection is closing or gone; not taken.
    case closed
}
