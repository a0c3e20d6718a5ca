import Foundation

/// How often random tests repeat: little by default, since tests with sockets run beside them on few processors.
enum LongRuns {
    /// What `ops/test-long.d` sets.
    static let isOn = ProcessInfo.processInfo.environment["STRIKETAPE_LONG"] == "1"

    /// The number of rounds, said aloud.
    static func rounds(_ name: String, _ usual: Int, long: Int) -> Int {
        let count = isOn ? long : usual
        print("\(name): \(count) rounds\(isOn ? "" : "; STRIKETAPE_LONG=1 runs \(long)")")
        return count
    }
}
