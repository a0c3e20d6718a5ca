package import Primitives

/// The state of the whole engine after an input.
package struct Checkpoint: Sendable, Equatable {
    /// One named part, such as a symbol's core.
    package struct Part: Sendable, Equatable {
        package var name: String
        package var bytes: [UInt8]

        package init(name: String, bytes: [UInt8]) {
            self.name = name
            self.bytes = bytes
        }
    }

    /// The last input that it includes.
    package var n: Ordinal
    /// Receive time of that input.
    package var time: Instant
    /// Where reading goes on in the tape that is the feed (`run --tape`), or in the run's own tape.
    package var position: TapePosition
    /// Version of the parts' layout, given by whoever writes them.
    package var layout: Int64
    package var parts: [Part]

    package init(n: Ordinal, time: Instant, position: TapePosition, layout: Int64, parts: [Part]) {
        self.n = n
        self.time = time
        self.position = position
        self.layout = layout
        self.parts = parts
    }

    /// Marks the file.
    private static let magic: UInt64 = 0x5354_434B_5054_3031

    /// The file's content: fields, parts, SHA-256 of all before.
    func encoded() -> [UInt8] {
        var writer = StateWriter()
        writer.write(Self.magic)
        writer.write(n)
        writer.write(time.nanos)
        writer.write(Int64(position.file))
        writer.write(position.offset)
        writer.write(position.line)
        writer.write(layout)
        writer.write(Int64(parts.count))
        for part in parts {
            writer.write(part.name)
            writer.write(part.bytes)
        }
        let bytes = writer.finish()
        return bytes + SHA256.digest(bytes)
    }

    /// Reads a file's content.
    ///
    /// - Throws: `corrupt` unless the checksum and every length are right.
    init(_ content: [UInt8], file: String) throws(JournalError) {
        guard content.count > SHA256.size else {
            throw JournalError(.corrupt, file: file, "expected more than \(content.count) bytes")
        }
        let body = Array(content.dropLast(SHA256.size))
        guard SHA256.digest(body).elementsEqual(content.suffix(SHA256.size)) else {
            throw JournalError(.corrupt, file: file, "the checksum is wrong")
        }
        do throws(StateError) {
            var reader = StateReader(body)
            guard try reader.read(UInt64.self) == Self.magic else {
                throw StateError(offset: 0, expected: "a checkpoint")
            }
            n = try reader.read()
            time = Instant(nanos: try reader.read())
            position = TapePosition(
                file: Int(try reader.read(Int64.self)),
                offset: try reader.read(),
                line: try reader.read()
            )
            layout = try reader.read()
            parts = []
            for _ in 0..<(try reader.read(Int64.self)) {
                parts.append(Part(name: try reader.readString(), bytes: try reader.readArray()))
            }
            guard reader.remaining == 0 else { throw StateError(offset: body.count, expected: "the end") }
        } catch {
            throw JournalError(.corrupt, file: file, offset: Int64(error.offset), "expected \(error.expected)")
        }
    }
}
