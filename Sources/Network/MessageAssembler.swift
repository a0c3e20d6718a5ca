/// Puts WebSocket fragments together, within a limit.
///
/// A message that comes whole is handed on without a copy. The limit is checked against what a frame announces, so a
/// message of any size costs no memory. Pure.
struct MessageAssembler {
    enum Outcome: Equatable {
        /// More to come.
        case incomplete
        /// The message is the bytes given.
        case whole
        /// The message is in `bytes`; `clear` afterwards.
        case assembled
        /// Above the limit: close 1009.
        case tooBig
        /// A text whose last character is cut: close 1007.
        case badText
    }

    /// Bytes that a message may have.
    let limit: Int
    /// What has been put together.
    private(set) var bytes: [UInt8] = []
    /// Memory kept between messages; more is given back.
    private static let keptBytesMax = 16_384

    init(limit: Int) { self.limit = limit }

    /// Takes a piece.
    ///
    /// `announced` bytes of the same frame are still to come; `isLast` says that the message ends with this piece.
    mutating func add(_ piece: UnsafeRawBufferPointer, announced: Int, isLast: Bool, isText: Bool) -> Outcome {
        let (sum, overflow) = (bytes.count + piece.count).addingReportingOverflow(announced)
        guard !overflow, sum <= limit else { return .tooBig }
        if isLast, bytes.isEmpty { return .whole }
        bytes.append(contentsOf: piece)
        guard isLast else { return .incomplete }
        // The library validates as bytes come in, but not when the last fragment is empty.
        if isText, piece.isEmpty, String(validating: bytes, as: UTF8.self) == nil { return .badText }
        return .assembled
    }

    mutating func clear() {
        bytes.removeAll(keepingCapacity: bytes.capacity <= Self.keptBytesMax)
    }
}
