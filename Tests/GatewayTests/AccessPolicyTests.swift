import Gateway
import Network
import Testing

@Suite struct AccessPolicyTests {
    private func policy(_ change: (inout GatewayConfiguration) -> Void = { _ in }) -> AccessPolicy {
        var configuration = GatewayConfiguration()
        change(&configuration)
        return AccessPolicy(configuration, port: 8700)
    }

    @Test(
        arguments: [
            ("127.0.0.1:8700", nil, AccessPolicy.Verdict.fine), ("LOCALHOST:8700", nil, .fine),
            ("[::1]:8700", nil, .fine),
            ("localhost", nil, .badHost), ("localhost:8701", nil, .badHost), ("evil.example", nil, .badHost),
            ("localhost:8700.evil.example", nil, .badHost), ("", nil, .badHost),
            ("localhost:8700", "http://localhost:8700", .fine),
            ("localhost:8700", "https://localhost:8700", .badOrigin),
            ("localhost:8700", "http://localhost:8700.evil.example", .badOrigin),
            ("localhost:8700", "null", .badOrigin),
            ("localhost:8700", "http://evil.example/?http://localhost:8700", .badOrigin),
            ("localhost:8700", "", .badOrigin),
        ] as [(String, String?, AccessPolicy.Verdict)]
    )
    func comparesWholeValues(_ host: String, _ origin: String?, _ verdict: AccessPolicy.Verdict) {
        var request = HTTPRequest(path: "/", headers: [.host: host])
        request.headers[.origin] = origin
        #expect(policy().judge(request) == verdict)
    }

    @Test func aRequestWithoutHostIsRefused() {
        #expect(policy().judge(HTTPRequest(path: "/")) == .badHost)
    }

    @Test func listsReplaceTheDefaults() {
        let policy = policy {
            $0.allowedHosts = ["desk.example"]
            $0.allowedOrigins = ["https://desk.example"]
        }
        let fine = HTTPRequest(path: "/", headers: [.host: "desk.example", .origin: "https://desk.example"])
        #expect(policy.judge(fine) == .fine)
        #expect(policy.judge(HTTPRequest(path: "/", headers: [.host: "localhost:8700"])) == .badHost)
    }

    @Test func theKeyIsComparedWhole() {
        let policy = policy { $0.apiKey = "0123456789abcdef" }
        #expect(policy.isKey("0123456789abcdef"))
        for wrong in ["", "0", "0123456789abcde", "0123456789abcdeg", "0123456789abcdef0", "1123456789abcdef"] {
            #expect(!policy.isKey(wrong))
        }
        let request = HTTPRequest(path: "/", headers: [.authorization: "bearer 0123456789abcdef"])
        #expect(policy.isAuthorised(request) && !policy.isAuthorised(HTTPRequest(path: "/")))
        #expect(self.policy().isAuthorised(HTTPRequest(path: "/")))
    }
}
