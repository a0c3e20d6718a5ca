/// Drives the flow feed's connection machine with events chosen by the bytes, sixteen an event, against its invariants.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzFlowConnection(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = UnsafeRawBufferPointer(start: bytes, count: bytes == nil ? 0 : count)
    var invariants = UnusualWhalesInvariants(token: "tok-SECRET/9")
    var offset = 0
    while offset + 16 <= input.count, offset < 16 * 512 {
        let choice = input.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        let detail = input.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)
        if let breach = invariants.step(choice, detail) { preconditionFailure(breach) }
        offset += 16
    }
    return 0
}
