#if JEMALLOC
internal import CJemalloc
#endif

/// Counts what a piece of code allocates, for tests that promise "none after warm-up".
package enum AllocationCounting {
    /// Bytes that `body` allocates on this thread, freed ones included, by jemalloc's own count.
    ///
    /// - Returns: nil in a build without jemalloc (under a sanitizer), where nobody counts.
    package static func bytes(_ body: () throws -> Void) rethrows -> UInt64? {
        guard let before = count("thread.allocated") else { return nil }
        try body()
        return count("thread.allocated").map { $0 - before }
    }

    /// Bytes that `body` allocates on this thread and doesn't free, each block with its size class's slack.
    ///
    /// - Returns: nil as `bytes`.
    package static func kept(_ body: () throws -> Void) rethrows -> Int64? {
        guard let before = balance() else { return nil }
        try body()
        return balance().map { $0 - before }
    }

    private static func balance() -> Int64? {
        guard let allocated = count("thread.allocated"), let freed = count("thread.deallocated") else { return nil }
        return Int64(bitPattern: allocated &- freed)
    }

    /// The name is static, because turning a string into C's would itself allocate.
    private static func count(_ name: StaticString) -> UInt64? {
        #if JEMALLOC
        var bytes: UInt64 = 0
        var size = MemoryLayout<UInt64>.size
        let status = name.withUTF8Buffer { text in
            text.withMemoryRebound(to: CChar.self) { mallctl($0.baseAddress, &bytes, &size, nil, 0) }
        }
        guard status == 0 else { return nil }
        return bytes
        #else
        return nil
        #endif
    }
}
