import Testing

/// What opens sockets, one test after the other: loops that end close descriptors of the whole process.
@Suite(.serialized) enum ServerTests {}
