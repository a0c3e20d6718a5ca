internal import Wire

/// How one check of `doctor` came out.
package enum DoctorStatus: String, Sendable {
    case ok
    /// Works, but somebody should know.
    case warning
    /// A run would fail or be unsafe.
    case failed
}

/// One thing that `doctor` looked at.
package struct DoctorCheck: Sendable, Equatable {
    package let name: String
    package let status: DoctorStatus
    package let detail: String

    package init(_ name: String, _ status: DoctorStatus, _ detail: String) {
        self.name = name
        self.status = status
        self.detail = detail
    }

    /// The check as one JSON object.
    package var json: String {
        JSONLine.object { object, out in
            object.field("check", name, to: &out)
            object.field("status", status.rawValue, to: &out)
            object.field("detail", detail, to: &out)
        }
    }
}
