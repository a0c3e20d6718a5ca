import Application
import Testing

@Suite struct ConfigurationValuesTests {
    @Test(arguments: [
        ("127.0.0.1:8700", true), ("127.9.9.9:1", true), ("localhost:0", true), ("[::1]:8700", true),
        ("[0:0:0:0:0:0:0:1]:8700", true), ("0.0.0.0:8700", false), ("[::]:8700", false), ("10.0.0.1:80", false),
        ("[::ffff:10.0.0.1]:80", false),
    ])
    func knowsLoopback(text: String, isLoopback: Bool) {
        #expect(ListenAddress(text)?.isLoopback == isLoopback)
    }

    @Test(arguments: [
        "", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:-1", "1.2.3:80", "[::1:80", "host:80", "127.0.0.1:+1",
    ])
    func refusesOtherAddresses(text: String) {
        #expect(ListenAddress(text) == nil)
    }

    @Test(arguments: [
        ("wss://socket.massive.com", false), ("ws://127.0.0.1:8702", true), ("ws://localhost", true),
        ("ws://[::1]:8702/x", true), ("ws://127.0.0.1.evil.example", false), ("unix:///run/redis.sock", true),
        ("ws://localhost.evil.example", false),
    ])
    func knowsWhereAURLLeads(text: String, isLoopback: Bool) {
        #expect(ServiceURL(text)?.isLoopback == isLoopback)
        #expect(ServiceURL(text)?.description == text)
    }

    @Test func anAddressReadsBack() {
        for text in ["127.0.0.1:8700", "[::1]:8700", "localhost:1"] {
            #expect(ListenAddress(text)?.description == text)
        }
    }
}
