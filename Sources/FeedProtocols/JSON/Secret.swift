/// Takes secrets out of texts that people see.
enum Secret {
    /// `text` with every occurrence of the secrets as stars; byte by byte, so that no normalisation hides one.
    static func redacted(_ text: String, _ secrets: [String]) -> String {
        var bytes = Array(text.utf8)
        for secret in secrets where !secret.isEmpty {
            let pattern = Array(secret.utf8)
            var result: [UInt8] = []
            var index = 0
            while index < bytes.count {
                if bytes[index...].starts(with: pattern) {
                    result.append(contentsOf: Array("***".utf8))
                    index += pattern.count
                } else {
                    result.append(bytes[index])
                    index += 1
                }
            }
            bytes = result
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
