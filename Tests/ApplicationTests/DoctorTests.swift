import Application
import Foundation
import Glibc
import Testing

@Suite struct DoctorTests {
    /// An allocator that says whatever a test wants.
    private struct Pretender: AllocationCounter {
        var allocatorVersion: String? = "pretender 1"
        var threadAllocatedBytes: UInt64? = 5
    }

    private func doctor(
        _ environment: [String: String] = [:],
        allocator: any AllocationCounter = SystemAllocator()
    ) throws -> Doctor {
        // Ports that nothing here listens on: 0 is never probed.
        var variables = environment
        for name in ["GATEWAY", "ADMIN", "SIMULATE"] where variables["STRIKETAPE_\(name)_LISTEN"] == nil {
            variables["STRIKETAPE_\(name)_LISTEN"] = "127.0.0.1:0"
        }
        var doctor = Doctor(try ConfigurationLoader(environment: variables).load(), allocator: allocator)
        doctor.environment = variables
        return doctor
    }

    private func check(_ name: String, of doctor: Doctor) throws -> DoctorCheck {
        try #require(doctor.run().first { $0.name == name })
    }

    private func scratch() throws -> String {
        let path = NSTemporaryDirectory() + "/striketape-doctor-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    @Test func notesWhereTheAllocatorIsNotTheOneThatWasLinked() throws {
        #expect(try check("allocator", of: doctor()).status == .warning)
        #expect(try check("allocator", of: doctor(allocator: Pretender())).status == .failed)
    }

    @Test func findsTheLibraries() throws {
        for name in ["libwebsockets", "OpenSSL", "zstd", "SQLite", "hiredis"] {
            #expect(try check(name, of: doctor()).status == .ok)
        }
    }

    @Test func stateDirectoryMustBeWritable() throws {
        let scratch = try scratch()
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        let inside = scratch + "/new/deeper"
        #expect(try check("state.dir", of: doctor(["STRIKETAPE_STATE_DIR": inside])).status == .ok)
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch) == [])
        #expect(FileManager.default.createFile(atPath: scratch + "/file", contents: nil))
        #expect(try check("state.dir", of: doctor(["STRIKETAPE_STATE_DIR": scratch + "/file/x"])).status == .failed)
        #expect(try check("state.dir", of: doctor(["STRIKETAPE_STATE_DIR": "/proc/x"])).status == .failed)
    }

    @Test func secretFilesMustBePrivate() throws {
        let scratch = try scratch()
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        let path = scratch + "/key"
        for (mode, status) in [(0o644, DoctorStatus.failed), (0o640, .failed), (0o600, .ok), (0o400, .ok)] {
            try? FileManager.default.removeItem(atPath: path)
            let attributes: [FileAttributeKey: Any] = [.posixPermissions: mode]
            #expect(
                FileManager.default.createFile(atPath: path, contents: Data("canary-1".utf8), attributes: attributes)
            )
            let doctor = try doctor(["STRIKETAPE_POLYGON_API_KEY_FILE": path])
            #expect(try check("secret file", of: doctor).status == status, "mode \(mode)")
        }
    }

    @Test func theMachineIsLookedAt() throws {
        #expect(
            try check("disk", of: doctor(["STRIKETAPE_STATE_DIR": NSTemporaryDirectory()])).detail.contains("MiB free")
        )
        #expect(try check("clock", of: doctor()).status != .failed)
        #expect(try check("redis", of: doctor()).detail.contains("in memory"))
    }

    @Test func aRedisThatIsNotThereIsToldWithoutItsPassword() throws {
        // Port 1 of loopback: nothing listens there.
        let found = try check("redis", of: doctor(["STRIKETAPE_REDIS_URL": "redis://user:canary-1@127.0.0.1:1/0"]))
        #expect(found.status == .failed && found.detail.contains("127.0.0.1:1"), "\(found.detail)")
        #expect(!found.detail.contains("canary"))
    }

    @Test func aTakenPortIsNoted() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, length) | Glibc.listen(descriptor, 1)
                    | getsockname(descriptor, generic, &length)
            }
        }
        try #require(status == 0)
        let listen = "127.0.0.1:\(UInt16(bigEndian: address.sin_port))"
        #expect(try check("gateway.listen", of: doctor(["STRIKETAPE_GATEWAY_LISTEN": listen])).status == .warning)
        #expect(try check("gateway.listen", of: doctor()).status == .ok)
    }

    @Test func aCheckIsOneObject() throws {
        let json = DoctorCheck("a", .warning, "say \"b\"").json
        #expect(json == #"{"check":"a","status":"warning","detail":"say \"b\""}"#)
    }
}
