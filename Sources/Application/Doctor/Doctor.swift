internal import Foundation

/// Looks at everything a run depends on and says what it finds; changes nothing.
package struct Doctor {
    package var configuration: Configuration
    package var allocator: any AllocationCounter
    package var environment: [String: String]
    /// The configuration file in use.
    package var file: String?
    /// Whether the configuration file holds a secret itself.
    package var fileHoldsSecret: Bool

    /// A doctor for a loaded configuration.
    package init(_ loaded: LoadedConfiguration, allocator: any AllocationCounter) {
        configuration = loaded.configuration
        self.allocator = allocator
        file = loaded.file
        environment = ProcessInfo.processInfo.environment
        fileHoldsSecret = ConfigurationSchema.keys.contains { key in
            guard key.isSecret, case .file = loaded.origins[key.name] else { return false }
            return true
        }
    }

    /// All checks, in the order they are shown.
    package func run() -> [DoctorCheck] {
        [DoctorCheck("striketape", .ok, Version.current)] + InstalledLibraries.checks() + [
            allocatorCheck(), stateCheck(), diskCheck(),
        ] + portChecks() + secretFileChecks() + [openFilesCheck(), clockCheck()] + redisChecks()
            + configuration.missingForRun.map {
                DoctorCheck("configuration", .warning, $0)
            }
    }

    /// Whether the allocator that should be in use really serves `malloc`: its own count must move.
    func allocatorCheck() -> DoctorCheck {
        let owner = InstalledLibraries.file(owning: "malloc") ?? "unknown"
        guard let version = allocator.allocatorVersion else {
            return DoctorCheck("allocator", .warning, "the system's (\(owner)); release builds use jemalloc")
        }
        let size = 1 << 20
        guard let before = allocator.threadAllocatedBytes, InstalledLibraries.allocateAndFree(size),
            let after = allocator.threadAllocatedBytes
        else { return DoctorCheck("allocator", .failed, "\(version) doesn't count") }
        guard after &- before >= UInt64(size) else {
            return DoctorCheck("allocator", .failed, "\(version) is linked, but malloc is served by \(owner)")
        }
        return DoctorCheck("allocator", .ok, "\(version) serves malloc (\(owner))")
    }

    /// Whether the state directory, or the nearest existing one above it, can be written.
    func stateCheck() -> DoctorCheck {
        let directory = configuration.state.dir
        var isDirectory: ObjCBool = false
        var existing = URL(fileURLWithPath: directory).standardizedFileURL
        while !FileManager.default.fileExists(atPath: existing.path, isDirectory: &isDirectory), existing.path != "/" {
            existing.deleteLastPathComponent()
        }
        guard isDirectory.boolValue else {
            return DoctorCheck("state.dir", .failed, "\(existing.path) is not a directory")
        }
        // A file made and removed: permission bits alone don't tell of a read-only or full file system.
        let probe = existing.appendingPathComponent(".striketape-probe-\(getpid())").path
        let descriptor = open(probe, O_CREAT | O_EXCL | O_WRONLY, 0o600)
        guard descriptor >= 0 else {
            return DoctorCheck(
                "state.dir",
                .failed,
                "can't write to \(existing.path): \(String(cString: strerror(errno)))"
            )
        }
        close(descriptor)
        unlink(probe)
        let state =
            existing.path == URL(fileURLWithPath: directory).standardizedFileURL.path ? "exists" : "will be made"
        return DoctorCheck("state.dir", .ok, "\(directory) \(state) and is writable")
    }

    func portChecks() -> [DoctorCheck] {
        [
            ("gateway.listen", configuration.gateway.listen), ("admin.listen", configuration.admin.listen),
            ("simulate.listen", configuration.simulate.listen),
        ].map { key, address in
            switch PortProbe.probe(address) {
            case nil: DoctorCheck(key, .ok, "\(address) is free")
            case EADDRINUSE: DoctorCheck(key, .warning, "\(address) is in use; a running striketape, or something else")
            case let code?: DoctorCheck(key, .failed, "\(address): \(String(cString: strerror(code)))")
            }
        }
    }

    /// Files that hold secrets must be readable by their owner alone.
    func secretFileChecks() -> [DoctorCheck] {
        var files = ConfigurationSchema.keys.filter(\.isSecret).compactMap { environment[$0.environmentName + "_FILE"] }
        if let file, fileHoldsSecret { files.append(file) }
        return files.map { path in
            var status = stat()
            guard stat(path, &status) == 0 else {
                return DoctorCheck("secret file", .failed, "\(path): \(String(cString: strerror(errno)))")
            }
            let mode = status.st_mode & 0o777
            let shown = "\(path) has mode 0\(String(mode, radix: 8))"
            guard mode & 0o077 == 0 else {
                return DoctorCheck("secret file", .failed, "\(shown): others can read it; chmod 600")
            }
            return DoctorCheck("secret file", .ok, shown)
        }
    }

    func openFilesCheck() -> DoctorCheck {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(7), &limit) == 0 else {
            return DoctorCheck("open files", .warning, "the limit can't be read")
        }
        // Besides subscribers: feeds, Redis, tape, store, listeners, event loops.
        let needed = UInt64(configuration.gateway.maxConnections) + 256
        guard limit.rlim_cur >= needed else {
            let detail = "limit \(limit.rlim_cur), but gateway.maxConnections needs \(needed); ulimit -n \(needed)"
            return DoctorCheck("open files", .warning, detail)
        }
        return DoctorCheck("open files", .ok, "limit \(limit.rlim_cur)")
    }
}
