package import Primitives

/// A message as everyone outside sees it (protocol.md 2), already encoded.
package struct Envelope: Sendable {
    package var channel: Channel
    package var type: MessageType
    package var outputClass: OutputClass
    /// Where a durable message stands in its channel, from 1; for the others the last durable offset they rest on.
    package var offset: Int64
    /// +1 a durable message of the channel's partition, from 1; 0 for the others.
    package var partitionSequence: Int64
    package var n: Ordinal
    package var index: OutputIndex
    /// The JSON text.
    package var bytes: [UInt8]

    package init(
        channel: Channel,
        type: MessageType,
        outputClass: OutputClass,
        offset: Int64,
        partitionSequence: Int64,
        n: Ordinal,
        index: OutputIndex,
        bytes: [UInt8]
    ) {
        self.channel = channel
        self.type = type
        self.outputClass = outputClass
        self.offset = offset
        self.partitionSequence = partitionSequence
        self.n = n
        self.index = index
        self.bytes = bytes
    }

    /// How a conflatable message is placed: `run` names the engine's start, `revision` counts the channel's messages.
    package enum Position: Sendable {
        case durable(offset: Int64)
        case conflatable(base: Int64, run: String, revision: Int64)
        case snapshot(offset: Int64)
    }

    /// What stands before `d` in a durable message that isn't on the disk.
    package static let undurableMark: StaticString = #","durable":false"#

    /// Marks a durable message that is shown though the disk didn't take it.
    package mutating func markUndurable() {
        guard let header = EnvelopeHeader(bytes), header.isDurable else { return }
        let place = header.payload.lowerBound - #","d":"#.utf8.count
        Self.undurableMark.withUTF8Buffer { bytes.insert(contentsOf: $0, at: place) }
    }

    /// Appends an envelope's JSON text; `payload` is the object `d`.
    ///
    /// Field order is fixed: equal messages are equal bytes.
    @inlinable
    package static func encode(
        channel: some Collection<UInt8>,
        epoch: String,
        position: Position,
        n: Ordinal,
        type: MessageType,
        time: Instant,
        payload: some Collection<UInt8>,
        into out: inout [UInt8]
    ) {
        out.append(contentsOf: #"{"ch":""#.utf8)
        out.append(contentsOf: channel)
        out.append(contentsOf: #"","ep":""#.utf8)
        out.append(contentsOf: epoch.utf8)
        switch position {
        case .durable(let offset), .snapshot(let offset):
            out.append(contentsOf: #"","off":"#.utf8)
            DecimalText.append(offset, to: &out)
        case .conflatable(let base, let run, let revision):
            out.append(contentsOf: #"","base":"#.utf8)
            DecimalText.append(base, to: &out)
            out.append(contentsOf: #","run":""#.utf8)
            out.append(contentsOf: run.utf8)
            out.append(contentsOf: #"","rev":"#.utf8)
            DecimalText.append(revision, to: &out)
        }
        out.append(contentsOf: #","n":""#.utf8)
        DecimalText.append(n, to: &out)
        out.append(contentsOf: #"","type":""#.utf8)
        out.append(contentsOf: type.name.utf8)
        out.append(contentsOf: #"","t":""#.utf8)
        DecimalText.append(time.nanos, to: &out)
        out.append(contentsOf: #"","d":"#.utf8)
        out.append(contentsOf: payload)
        out.append(UInt8(ascii: "}"))
    }
}

/// What the Sequencer releases committed messages to, in order; Application joins it to the bus.
package protocol MessageSink: AnyObject, Sendable {
    /// Takes messages that are committed (or need no commit), in the engine's order.
    ///
    /// Storage thread. May block while full; never drops a durable message.
    func release(_ messages: [Envelope])
    /// Takes the answer to a command, after everything it caused was released.
    func reply(to command: String, payload: [UInt8])
    /// Takes what a core wants fetched; the answer comes back as a numbered input. A replay has the answers on its tape.
    func request(_ payload: [UInt8])
}

extension MessageSink {
    package func request(_ payload: [UInt8]) {}
}
