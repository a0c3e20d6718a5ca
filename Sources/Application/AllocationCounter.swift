/// What the process's allocator says about itself.
///
/// Only the executables link jemalloc, so they hand an implementation in; `SystemAllocator` stands for any other malloc.
package protocol AllocationCounter: Sendable {
    /// `jemalloc 5.3.0-…`; nil where the allocator has no name to give.
    var allocatorVersion: String? { get }
    /// Bytes that the calling thread has allocated since it started, freed ones included; nil where nobody counts.
    var threadAllocatedBytes: UInt64? { get }
}

/// The malloc of the C library or of a sanitizer: counts nothing.
package struct SystemAllocator: AllocationCounter {
    package init() {}
    package var allocatorVersion: String? { nil }
    package var threadAllocatedBytes: UInt64? { nil }
}
