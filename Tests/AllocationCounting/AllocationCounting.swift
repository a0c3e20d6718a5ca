#if JEMALLOC
internal import CJemalloc
#endif

/// Counts what a piece of code allocates, for tests that promise "none after warm-up".
package enum AllocationCounting {
    /// Bytes that `body` allocates on this thread, freed ones included, by jemalloc's own count.
    ///
    /// - Returns: nil in a build without jemalloc (under a sanitizer), where nobody counts.
    package static func bytes(_ body: () throws -> Void) rethrows -> UInt64? {
        guard let before = allocated() else { return nil }
        try body()
        return allocated().map { $0 - before }
    }

    private static func allocated() -> UInt64? {
        #if JEMALLOC
        var bytes: UInt64 = 0
        var size = MemoryLayout<UInt64>.size
        guard mallctl("thread.allocated", &bytes, &size, nil, 0) == 0 else { return nil }
        return bytes
        #else
        return nil
        #endif
    }
}
