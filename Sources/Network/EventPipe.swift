internal import CLibWebSockets
internal import Glibc

/// Ends the descriptor by which the library wakes its context; stands in for the library's own function of that name.
///
/// libwebsockets 4.1 closes this descriptor (an eventfd) twice on a libuv loop: `lws_context_destroy` calls its
/// `lws_destroy_event_pipe`, which asks libuv to close the handle and closes the descriptor at once; when the loop then
/// runs the handle's closing callback, the common end of all sockets closes the same number again. Between the two the
/// number is free, so the second close hits whatever another thread has opened since. No order of our calls avoids it:
/// the first close is inside the call that begins the end of a context, the second is what the end waits for.
///
/// So the pipe ends as every other socket of the context does, by the library's public way to drop one: off the poll
/// table, its handle closed by libuv, and one close of the descriptor in the closing callback. The library calls the
/// function through its symbol table, where a definition of the program comes before the library's; that needs the
/// library to be linked dynamically, and the symbol to be seen outside: `package`, as an optimised build hides what is
/// less. `EventPipe.isOurs` tells whether it is so, and no context is made where it isn't.
///
/// Loop thread only, called by the library while a context is destroyed. In 4.3 the library closes the descriptor in
/// one more place (4.3.5) and this has to be looked at again; 5.0 forgets the number with the first close.
@c(lws_destroy_event_pipe)
package func destroyEventPipe(_ pipe: OpaquePointer?) {
    guard let pipe else { return }
    striketape_drop(pipe)
}

enum EventPipe {
    /// Whether the library, too, finds the function above under its name.
    static let isOurs: Bool = {
        let ours: @convention(c) (OpaquePointer?) -> Void = destroyEventPipe
        return dlsym(nil, "lws_destroy_event_pipe") == unsafeBitCast(ours, to: UnsafeMutableRawPointer.self)
    }()
}
