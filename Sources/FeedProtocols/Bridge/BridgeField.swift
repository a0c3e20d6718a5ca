/// The keys of the bridge's objects (feeds.md 4.3).
enum BridgeField: Int, CaseIterable, FieldName {
    // All.
    case ev, n, tb, k, id, epoch
    // Quotes, trades, bars, depth.
    case b, a, bs, `as`, l, ls, v, o, h, lo, c, vw, mdt, ageMs, hlt
    case p, s, ex, ti, op, sd, pos, mm, reset, t0, ct, what
    // Control.
    case ib, code, farm, msg, staleKs, req, linesUsed, lastTickUs, qDepth, dropped
    case from, to, why, ks, ok, reason, limits, hbMs
    // Of `limits`.
    case lines, depth, bars10m

    static let names = FieldNames<BridgeField>()
}
