internal import Glibc

/// The versions of the C libraries as they are loaded, asked by name at run time.
///
/// By `dlopen`, because only the target that owns a library may import it, and because what counts is the file that is
/// installed, not the header that was compiled against.
enum InstalledLibraries {
    static func checks() -> [DoctorCheck] {
        [
            websockets(), text("hiredis", ["libhiredis.so.0.14", "libhiredis.so.1.1.0"], nil),
            text("OpenSSL", ["libssl.so.3", "libcrypto.so.3"], "OpenSSL_version"),
            text("zstd", ["libzstd.so.1"], "ZSTD_versionString"),
            text("SQLite", ["libsqlite3.so.0"], "sqlite3_libversion"),
        ]
    }

    /// The path of the file whose `symbol` this process uses.
    static func file(owning symbol: String) -> String? {
        guard let symbol = dlsym(nil, symbol), case .success(let maps) = ConfigurationFiles.read("/proc/self/maps")
        else {
            return nil
        }
        let address = UInt(bitPattern: symbol)
        for line in maps.split(separator: "\n") {
            // `low-high perms offset device inode   path`
            let fields = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
            let bounds = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
            guard fields.count == 6, bounds.count == 2, (bounds[0]..<bounds[1]).contains(address) else { continue }
            return String(fields[5].drop(while: \.isWhitespace))
        }
        return nil
    }

    /// Allocates and frees through the `malloc` that this process uses.
    ///
    /// By name: the compiler may remove a pair of calls that it can see.
    static func allocateAndFree(_ size: Int) -> Bool {
        typealias Allocate = @convention(c) (Int) -> UnsafeMutableRawPointer?
        typealias Free = @convention(c) (UnsafeMutableRawPointer?) -> Void
        guard let malloc = dlsym(nil, "malloc"), let free = dlsym(nil, "free") else { return false }
        guard let memory = unsafeBitCast(malloc, to: Allocate.self)(size) else { return false }
        unsafeBitCast(free, to: Free.self)(memory)
        return true
    }

    private static func websockets() -> DoctorCheck {
        let check = text(
            "libwebsockets",
            ["libwebsockets.so.17", "libwebsockets.so.19", "libwebsockets.so.20"],
            "lws_get_library_version"
        )
        guard check.status == .ok, let major = check.detail.first?.wholeNumberValue, major < 5 else { return check }
        let note = "before 5.0.0: HTTP/2 and foreign upgrades must stay refused, as the gateway does (CVE-2026-19773)"
        return DoctorCheck(check.name, .ok, "\(check.detail); \(note)")
    }

    /// The version that `function` of the first loadable file gives; the file's name where there is no such function.
    private static func text(_ name: String, _ files: [String], _ function: String?) -> DoctorCheck {
        for file in files {
            guard let library = dlopen(file, RTLD_LAZY | RTLD_LOCAL) else { continue }
            guard let function else { return DoctorCheck(name, .ok, file) }
            guard let address = dlsym(library, function) else {
                return DoctorCheck(name, .warning, "\(file) has no \(function)")
            }
            // `OpenSSL_version` takes a number (0: the version); the others ignore what they are given.
            typealias Version = @convention(c) (Int32) -> UnsafePointer<CChar>?
            guard let version = unsafeBitCast(address, to: Version.self)(0) else { break }
            // libwebsockets ends its version with a dash and the (here empty) git hash.
            let shown = String(cString: version)
            return DoctorCheck(name, .ok, shown.hasSuffix("-") ? String(shown.dropLast()) : shown)
        }
        return DoctorCheck(name, .failed, "not installed (\(files.joined(separator: ", "))); run ops/setup")
    }
}
