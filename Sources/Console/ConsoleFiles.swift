/// The static files of the web page, in the binary: it is found wherever the binary runs.
package enum ConsoleFiles {
    /// One file as it is served.
    package struct File: Sendable {
        package let path: String
        package let contentType: String
        package let bytes: [UInt8]
    }

    package static let all = [
        File(path: "/", contentType: "text/html; charset=utf-8", bytes: PackageResources.index_html),
        File(path: "/app.css", contentType: "text/css; charset=utf-8", bytes: PackageResources.app_css),
        script("/app.js", PackageResources.app_js),
        script("/base.js", PackageResources.base_js),
        script("/net.js", PackageResources.net_js),
        script("/view.js", PackageResources.view_js),
        // What programs read before they have a key.
        File(path: "/api/v1/openapi.json", contentType: "application/json", bytes: PackageResources.openapi_json),
        File(path: "/icon.svg", contentType: "image/svg+xml", bytes: PackageResources.icon_svg),
    ]

    private static func script(_ path: String, _ bytes: [UInt8]) -> File {
        File(path: path, contentType: "text/javascript; charset=utf-8", bytes: bytes)
    }
}
