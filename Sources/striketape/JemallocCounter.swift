internal import Application

#if JEMALLOC
internal import CJemalloc

/// jemalloc's own word on its version and on what a thread has allocated.
struct JemallocCounter: AllocationCounter {
    var allocatorVersion: String? {
        var text: UnsafePointer<CChar>?
        var size = MemoryLayout<UnsafePointer<CChar>?>.size
        guard mallctl("version", &text, &size, nil, 0) == 0, let text else { return nil }
        return "jemalloc \(String(cString: text))"
    }

    var threadAllocatedBytes: UInt64? {
        var bytes: UInt64 = 0
        var size = MemoryLayout<UInt64>.size
        guard mallctl("thread.allocated", &bytes, &size, nil, 0) == 0 else { return nil }
        return bytes
    }
}
#endif

/// The allocator that this build was linked with.
enum ProcessAllocator {
    #if JEMALLOC
    static let counter: any AllocationCounter = JemallocCounter()
    #else
    static let counter: any AllocationCounter = SystemAllocator()
    #endif
}
