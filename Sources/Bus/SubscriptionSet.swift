/// Which channels a subscriber's connection shall deliver, and which the server has confirmed; pure.
///
/// Names are those of Redis. A channel may be left and taken again before the server answered: only the answer to the
/// last request counts.
struct SubscriptionSet {
    private struct Entry {
        /// Requests that the server hasn't confirmed.
        var open = 0
        var isConfirmed = false
        /// Whether it was confirmed at some time: a loss of the connection interrupts it.
        var wasDelivered = false
    }

    private var wanted: [String: Entry] = [:]
    private let limit: Int
    /// Requests on this connection for channels that aren't wanted any more.
    private var stale: [String: Int] = [:]

    init(limit: Int) { self.limit = limit }

    /// Every name that is wanted.
    var names: [String] { Array(wanted.keys) }

    func isWanted(_ name: String) -> Bool { wanted[name] != nil }

    func isConfirmed(_ name: String) -> Bool { wanted[name]?.isConfirmed ?? false }

    /// Whether everything wanted is confirmed.
    var isWhole: Bool { wanted.allSatisfy { $0.value.isConfirmed } }

    /// Takes names.
    ///
    /// - Returns: those to request, nil where there would be too many.
    mutating func add(_ names: [String]) -> [String]? {
        let new = names.filter { wanted[$0] == nil }
        guard wanted.count + Set(new).count <= limit else { return nil }
        var requests: [String] = []
        for name in new where wanted[name] == nil {
            wanted[name] = Entry(open: stale.removeValue(forKey: name) ?? 0)
            requests.append(name)
        }
        return requests
    }

    /// A request was sent.
    mutating func requested(_ names: [String]) {
        for name in names { wanted[name]?.open += 1 }
    }

    /// Leaves names.
    ///
    /// - Returns: those to leave at the server.
    mutating func remove(_ names: [String]) -> [String] {
        var left: [String] = []
        for name in names {
            guard let entry = wanted.removeValue(forKey: name) else { continue }
            if entry.open > 0 { stale[name, default: 0] += entry.open }
            left.append(name)
        }
        return left
    }

    /// The server confirmed a request.
    ///
    /// - Returns: whether the channel is delivered from now on.
    mutating func confirmed(_ name: String) -> Bool {
        guard wanted[name] != nil else {
            if let count = stale[name] { stale[name] = count > 1 ? count - 1 : nil }
            return false
        }
        wanted[name]?.open -= 1
        guard let entry = wanted[name], entry.open <= 0 else { return false }
        wanted[name] = Entry(open: 0, isConfirmed: true, wasDelivered: true)
        return true
    }

    /// The connection was lost.
    mutating func wentOffline() {
        stale = [:]
        for name in wanted.keys {
            wanted[name]?.open = 0
            wanted[name]?.isConfirmed = false
        }
    }

    /// The names that were delivered before the connection was lost.
    var interrupted: [String] { wanted.filter(\.value.wasDelivered).map(\.key) }
}
