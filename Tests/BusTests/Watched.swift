import Dispatch
import Primitives
import Testing

/// A value that others change and a test waits for.
final class Watched<Value: Sendable>: Sendable {
    private struct Waiter {
        let id: Int
        let condition: @Sendable (Value) -> Bool
        let met: @Sendable (Bool) -> Void
    }

    private struct Content {
        var value: Value
        var waiters: [Waiter] = []
        var nextID = 0
    }

    private let content: Lock<Content>

    init(_ value: Value) { content = Lock(Content(value: value)) }

    var value: Value { content.withLock { $0.value } }

    /// Changes the value and wakes whoever waited for it.
    func change(_ body: (inout Value) -> Void) {
        let met = content.withLock { content -> [Waiter] in
            body(&content.value)
            let value = content.value
            let met = content.waiters.filter { $0.condition(value) }
            content.waiters.removeAll { waiter in met.contains { $0.id == waiter.id } }
            return met
        }
        for waiter in met { waiter.met(true) }
    }

    /// Waits until the condition holds; a failed requirement after `seconds`.
    func wait(
        _ what: Comment,
        seconds: Int = 20,
        sourceLocation: SourceLocation = #_sourceLocation,
        until condition: @escaping @Sendable (Value) -> Bool
    ) async throws {
        let isMet = await withCheckedContinuation { (continuation: CheckedContinuation<Bool, Never>) in
            let id = content.withLock { content -> Int? in
                if condition(content.value) { return nil }
                content.nextID += 1
                content.waiters.append(
                    Waiter(id: content.nextID, condition: condition) { continuation.resume(returning: $0) }
                )
                return content.nextID
            }
            guard let id else {
                continuation.resume(returning: true)
                return
            }
            DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(seconds)) { [content] in
                let late = content.withLock { content -> Waiter? in
                    guard let index = content.waiters.firstIndex(where: { $0.id == id }) else { return nil }
                    return content.waiters.remove(at: index)
                }
                late?.met(false)
            }
        }
        try #require(isMet, what, sourceLocation: sourceLocation)
    }
}
