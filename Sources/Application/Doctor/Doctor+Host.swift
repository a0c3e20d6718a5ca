internal import Bus
internal import Foundation

// What of the machine and its neighbours a run rests on.
extension Doctor {
    /// How many bytes a day of a busy market may take: tape, commit log, checkpoints.
    private static let freeBytesWanted: UInt64 = 10 << 30

    /// Free space where the state is kept; a full disk stops commits.
    func diskCheck() -> DoctorCheck {
        var existing = URL(fileURLWithPath: configuration.state.dir).standardizedFileURL
        while !FileManager.default.fileExists(atPath: existing.path), existing.path != "/" {
            existing.deleteLastPathComponent()
        }
        var status = statvfs()
        guard statvfs(existing.path, &status) == 0 else {
            return DoctorCheck("disk", .warning, "\(existing.path): \(String(cString: strerror(errno)))")
        }
        let free = UInt64(status.f_bavail) * UInt64(status.f_frsize)
        let shown = "\(free >> 20) MiB free for \(configuration.state.dir)"
        if free < Self.freeBytesWanted / 100 { return DoctorCheck("disk", .failed, shown) }
        guard free >= Self.freeBytesWanted else {
            return DoctorCheck("disk", .warning, "\(shown); a busy day wants \(Self.freeBytesWanted >> 30) GiB")
        }
        return DoctorCheck("disk", .ok, shown)
    }

    /// Whether the kernel's clock is held to others: by exchange and receive time lag is judged.
    func clockCheck() -> DoctorCheck {
        // By name, as Swift's Glibc lacks it; the offsets are those of the kernel's `struct timex` on 64 bits.
        typealias Adjust = @convention(c) (UnsafeMutableRawPointer) -> Int32
        guard let function = dlsym(nil, "adjtimex") else {
            return DoctorCheck("clock", .warning, "can't be asked: the C library has no adjtimex")
        }
        var state = [UInt64](repeating: 0, count: 64)
        let result = state.withUnsafeMutableBytes { bytes in
            bytes.baseAddress.map { unsafeBitCast(function, to: Adjust.self)($0) } ?? -1
        }
        guard result >= 0 else {
            return DoctorCheck("clock", .warning, "can't be asked: \(String(cString: strerror(errno)))")
        }
        let (offset, bound) = (Int64(bitPattern: state[1]), Int64(bitPattern: state[3]))
        let flags = state[5] & 0xFFFF_FFFF
        let (timeError, unsynchronised, isInNanos) = (Int32(5), UInt64(0x40), flags & 0x2000 != 0)
        guard result != timeError, flags & unsynchronised == 0 else {
            return DoctorCheck("clock", .warning, "not synchronised by this system; run chrony or systemd-timesyncd")
        }
        let shown = "synchronised, offset \(isInNanos ? offset / 1_000 : offset) µs, error at most \(bound) µs"
        return DoctorCheck("clock", bound > 500_000 ? .warning : .ok, shown)
    }

    /// What Redis says, where one is configured.
    func redisChecks() -> [DoctorCheck] {
        guard let secret = configuration.redis.url else {
            return [DoctorCheck("redis", .ok, "none configured: the bus is in memory, in one process")]
        }
        do throws(BusError) {
            let url = try RedisURL(secret.revealed())
            return try RedisProbe.ask(url).map { DoctorCheck("redis", $0.isFine ? .ok : .warning, $0.words) }
        } catch {
            return [DoctorCheck("redis", .failed, error.message)]
        }
    }
}
