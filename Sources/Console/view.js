// What is shown: symbol cards with their charts, the plans' table, the hits.
import {
  $, CARDS_MAX, HITS_MAX, OPEN, STALE_MS, clock, el, isNumber, level, millis, price, rounded, setClass, setText, signed,
  state, svg, timeOf, tone,
} from "./base.js";
import { announce, request, showBanner, subscribe } from "./net.js";
import { openDialog } from "./app.js";

export function watchSymbol(name) {
  const symbol = String(name);
  if (state.symbols.has(symbol) || state.refused.has(symbol) || state.symbols.size >= CARDS_MAX) return;
  const entry = { name: symbol, tick: {}, bands: {}, points: [], at: 0, card: makeCard(symbol) };
  state.symbols.set(symbol, entry);
  $("symbols").append(entry.card.root);
  subscribe([`symbol:${symbol}`, `bands:${symbol}`]);
}

function makeCard(name) {
  const card = {
    last: el("span", { class: "last" }, "–"), session: el("span", { class: "chip" }),
    flags: el("span"), quote: el("div", { class: "quote" }), bands: el("div", { class: "bands" }),
    age: el("span", { class: "num dim" }), high: el("span", { class: "high num" }), low: el("span", { class: "low num" }),
    chart: svg("svg", { viewBox: "0 0 300 104", preserveAspectRatio: "none", role: "img", "aria-label": `${name} price and VWAP bands` }),
  };
  const plan = el("button", { type: "button", title: `New plan on ${name}`, "aria-label": `New plan on ${name}` }, "+");
  plan.onclick = () => openDialog(name);
  card.root = el("article", { class: "card", "aria-label": name },
    el("div", { class: "top" }, el("span", { class: "sym" }, name), card.last, card.session, card.flags,
      el("span", { class: "spacer" }), card.age, plan),
    card.quote, el("div", { class: "chart" }, card.chart, card.high, card.low), card.bands);
  return card;
}

function showSymbol(symbol) {
  const { tick, bands, card } = symbol;
  const last = tick.last;
  const previous = symbol.shown;
  setText(card.last, price(last));
  if (isNumber(last) && isNumber(previous) && last !== previous) setClass(card.last, `last ${last > previous ? "up" : "down"}`);
  symbol.shown = last;
  setText(card.session, tick.session ? String(tick.session) : "");
  setText(card.flags, tick.crossed ? "crossed" : tick.locked ? "locked" : "");
  setClass(card.flags, tick.crossed ? "chip down" : tick.locked ? "chip warn" : "");
  const spread = isNumber(tick.bid) && isNumber(tick.ask) ? tick.ask - tick.bid : null;
  card.quote.replaceChildren(
    el("span", { class: "up" }, price(tick.bid)), el("span", { class: "dim" }, `× ${tick.bidSize ?? "–"}`),
    el("span", { class: "down" }, price(tick.ask)), el("span", { class: "dim" }, `× ${tick.askSize ?? "–"}`),
    el("span", { class: "dim" }, `spread ${isNumber(spread) ? spread.toFixed(Math.abs(last) < 1 ? 4 : 2) : "–"}`));
  const z = isNumber(last) && isNumber(bands.vwap) && bands.sigma > 0 ? (last - bands.vwap) / bands.sigma : null;
  card.bands.replaceChildren(
    el("span", {}, `VWAP ${rounded(bands.vwap, 2)}`), el("span", {}, `σ ${rounded(bands.sigma, 3)}`),
    el("span", { class: tone(z) }, `z ${signed(z, 2)}`), el("span", {}, `ATR ${rounded(bands.atr14, 3)}`));
  drawChart(symbol);
}

function drawChart(symbol) {
  const points = symbol.points, chart = symbol.card.chart;
  if (points.length < 2) return chart.replaceChildren();
  const width = 300, height = 104, pad = 6;
  const values = points.flatMap((point) => [point.last, point.up1, point.dn1]).filter(isNumber);
  let low = Math.min(...values), high = Math.max(...values);
  const slack = Math.max((high - low) * 0.08, Math.abs(high) * 1e-5);
  low -= slack; high += slack;
  setText(symbol.card.high, high.toFixed(2));
  setText(symbol.card.low, low.toFixed(2));
  const start = points[0].at, span = Math.max(1, points[points.length - 1].at - start);
  const x = (at) => (((at - start) / span) * width).toFixed(1);
  const y = (value) => (pad + (1 - (value - low) / (high - low)) * (height - 2 * pad)).toFixed(1);
  const line = (name) => {
    let path = "", pen = "M";
    for (const point of points) {
      if (!isNumber(point[name])) { pen = "M"; continue; }
      path += `${pen}${x(point.at)} ${y(point[name])}`;
      pen = "L";
    }
    return path;
  };
  const parts = [];
  const banded = points.filter((point) => isNumber(point.up1) && isNumber(point.dn1));
  if (banded.length > 1) {
    const top = banded.map((point) => `${x(point.at)} ${y(point.up1)}`).join("L");
    const bottom = banded.slice().reverse().map((point) => `${x(point.at)} ${y(point.dn1)}`).join("L");
    parts.push(svg("path", { class: "b-fill", d: `M${top}L${bottom}Z` }));
  }
  for (const [name, style] of [["up2", "b-2"], ["dn2", "b-2"], ["up1", "b-1"], ["dn1", "b-1"], ["vwap", "b-vwap"]]) {
    parts.push(svg("path", { class: style, d: line(name) }));
  }
  for (const plan of state.plans.values()) {
    const body = plan.fields.plan;
    if (!body || body.symbol !== symbol.name || body.triggerOn === "contract" || !OPEN.includes(plan.fields.state)) continue;
    const levels = [["e", level(body.entry)], ["s", level(plan.fields.stop) ?? level(body.stop)]]
      .concat((body.targets || []).map((target) => ["t", level(target)]));
    for (const [kind, value] of levels) {
      if (!isNumber(value) || value < low || value > high) continue;
      parts.push(svg("line", { class: `lvl ${kind}`, x1: 0, x2: width, y1: y(value), y2: y(value) }));
    }
  }
  parts.push(svg("path", { class: "price", d: line("last") }));
  chart.replaceChildren(...parts);
}

function makeRow(plan) {
  const cell = (label, name) => el("td", { class: name || "", "data-label": label });
  const cells = {
    name: cell("", ""), state: cell("State"), entry: cell("Entry", "r"), stop: cell("Stop", "r"),
    targets: cell("Targets", "r targets"), price: cell("Price", "r"), pl: cell("P/L", "r pl"), track: cell("", "track"),
    band: cell("Band"), extremes: cell("MAE / MFE", "r"), actions: cell(""),
  };
  const cancel = el("button", { type: "button", class: "danger", "aria-label": `Cancel plan ${plan.id}` }, "Cancel");
  cancel.onclick = () => cancelPlan(plan, cancel);
  cells.actions.append(cancel);
  const row = el("tr", {}, ...Object.values(cells));
  plan.row = { row, cells, cancel };
  $("plan-rows").prepend(row);
}

function showPlan(plan) {
  const body = plan.fields.plan;
  if (!body) return;
  if (!plan.row) makeRow(plan);
  const { row, cells, cancel } = plan.row;
  const derived = plan.derived, status = String(plan.fields.state ?? "?"), hits = plan.fields.hits || [];
  cells.name.replaceChildren(el("div", { class: "plan-name" },
    el("b", {}, `${body.contract && body.triggerOn === "contract" ? body.contract : body.symbol} `,
      el("span", { class: body.side === "long" ? "up" : "down" }, String(body.side))),
    el("small", { title: String(body.rationale ?? "") }, `${body.style} · ${body.trigger} · ${String(plan.id).slice(0, 8)} v${body.version}`)));
  cells.state.replaceChildren(el("span", { class: `state ${/^[a-z]+$/.test(status) ? status : ""}` }, status),
    plan.fields.blind ? el("span", { class: "chip warn", title: "Its prices can't be trusted at this moment" }, "blind") : "");
  const stop = level(plan.fields.stop) ?? level(body.stop);
  setText(cells.entry, `${body.entry.type} ${price(level(body.entry))}`);
  setText(cells.stop, price(stop));
  const done = new Set(hits.filter((hit) => hit.kind === "target" && hit.version === body.version).map((hit) => hit.k));
  cells.targets.replaceChildren(...(body.targets || []).map((target, index) =>
    el("span", { class: done.has(index + 1) ? "done" : "" }, (index ? "  " : "") + price(level(target)))));
  setText(cells.price, price(derived.price));
  setText(cells.pl, isNumber(derived.plR) ? `${signed(derived.plR, 2)} R` : "–");
  setClass(cells.pl, `r pl ${tone(derived.plR)}`);
  drawTrack(cells.track, body, stop, derived.price, done);
  const band = derived.band;
  setText(cells.band, band ? `${band.nearest ?? "–"}  z ${signed(band.z, 2)}` : "–");
  setText(cells.extremes, isNumber(derived.maeR) || isNumber(derived.mfeR) ? `${rounded(derived.maeR, 2)} / ${rounded(derived.mfeR, 2)}` : "–");
  cancel.hidden = !OPEN.includes(status);
  row.hidden = $("open-only").checked && !OPEN.includes(status);
  if (plan.flash) {
    plan.flash = false;
    row.classList.remove("flash");
    void row.offsetWidth;
    row.classList.add("flash");
  }
}

// A line from the stop to the last target, scaled in price; the mirror image for a short.
function drawTrack(cell, body, stop, now, done) {
  const targets = (body.targets || []).map(level).filter(isNumber), entry = level(body.entry);
  if (!isNumber(entry) || !isNumber(stop) || !targets.length) return cell.replaceChildren();
  const sign = body.side === "long" ? 1 : -1;
  const levels = [stop, entry, ...targets].map((value) => value * sign);
  const low = Math.min(...levels), high = Math.max(...levels), span = high - low || 1;
  const x = (value) => 8 + Math.max(-0.03, Math.min(1.03, (value * sign - low) / span)) * 174;
  const label = `price ${price(now)}, stop ${price(stop)}, entry ${price(entry)}, targets ${targets.map(price).join(" ")}`;
  const chart = svg("svg", { viewBox: "0 0 190 24", preserveAspectRatio: "xMidYMid meet", role: "img", "aria-label": label });
  chart.append(
    svg("line", { class: "tr-loss", x1: x(Math.min(stop * sign, entry * sign) * sign), x2: x(entry), y1: 12, y2: 12 }),
    svg("line", { class: "tr-gain", x1: x(entry), x2: x(high * sign), y1: 12, y2: 12 }),
    svg("rect", { class: "tr-stop", x: x(stop) - 1.5, y: 5, width: 3, height: 14 }),
    svg("rect", { class: "tr-entry", x: x(entry) - 1, y: 7, width: 2, height: 10 }));
  targets.forEach((target, index) => chart.append(
    svg("circle", { class: `tr-target${done.has(index + 1) ? " done" : ""}`, cx: x(target), cy: 12, r: 4 })));
  if (isNumber(now)) {
    const at = x(now);
    chart.append(svg("path", { class: "tr-now", d: `M${at} 10L${at - 4} 2L${at + 4} 2Z` }));
  }
  cell.replaceChildren(chart);
}

async function cancelPlan(plan, button) {
  button.disabled = true;
  try {
    await request("DELETE", `/api/v1/plans/${encodeURIComponent(plan.id)}`, { version: plan.fields.plan.version });
  } catch (error) { announce(`Plan ${plan.id} not cancelled: ${error.message}`); }
  button.disabled = false;
}

export function addHit(message, isPast) {
  const data = message.d || {};
  // The same hit comes on the plan's channel and on the user's.
  const key = `${data.plan}/${data.version}/${data.i}`;
  if (state.seen.has(key)) return;
  state.seen.add(key);
  if (state.seen.size > 5000) state.seen.delete(state.seen.values().next().value);
  const body = (state.plans.get(data.plan) || { fields: {} }).fields.plan || {};
  const kind = String(data.kind);
  const name = el("span", {}, body.symbol ? ` ${body.symbol} ${body.side}` : "");
  if (!body.symbol) state.unnamed = [...state.unnamed.slice(-50), { id: data.plan, name }];
  const colour = kind === "target" || kind === "entry" ? "up" : kind === "stop" || kind === "invalidated" ? "down" : "warn";
  const marks = [data.gap ? "gap" : "", data.ambiguous ? "ambiguous" : "", data.durable === false ? "not yet durable" : "",
    isNumber(data.slippageR) && data.slippageR !== 0 ? `slippage ${signed(data.slippageR, 2)} R` : ""].filter(Boolean);
  const rule = data.why && typeof data.why === "object" ? data.why.rule : data.why;
  const at = data.t || message.t;
  addLine(el("li", { "data-at": String(millis(at) || 0) },
    el("time", {}, timeOf(at)),
    el("span", { class: "what" }, el("span", { class: colour }, kind === "target" ? `target ${data.k}` : kind), name),
    el("span", { class: "num" }, price(data.price)),
    el("span", { class: "more" }, [data.plan, ...marks, rule].filter(Boolean).map(String).join(" · "))));
  if (isPast) return;
  state.hits += 1;
  setText($("hit-count"), `${state.hits} live`);
}

export function addGap(message) {
  addLine(el("li", { class: "gap" }, el("time", {}, clock.format(Date.now())),
    el("span", { class: "what warn" }, "messages missed"), el("span"),
    el("span", { class: "more" }, `${message.ch}: ${message.from} to ${message.to ?? "?"} (${message.reason}); a snapshot follows`)));
}

function addLine(line) {
  $("no-hits").hidden = true;
  // Newest first, by the event's own time: a snapshot brings earlier ones.
  const at = Number(line.dataset.at || Infinity);
  const older = [...$("hit-rows").children].find((other) => Number(other.dataset.at || 0) <= at);
  $("hit-rows").insertBefore(line, older || null);
  while ($("hit-rows").children.length > HITS_MAX) $("hit-rows").lastChild.remove();
}

export function schedule() { if (!state.frame) state.frame = requestAnimationFrame(draw); }

function draw() {
  state.frame = 0;
  for (const item of state.dirty) if (item.card) showSymbol(item); else showPlan(item);
  state.dirty.clear();
  const known = [...state.plans.values()].filter((plan) => plan.fields.plan);
  setText($("plan-count"), `${known.filter((plan) => OPEN.includes(plan.fields.state)).length} open, ${known.length} in all`);
  $("no-plans").hidden = known.length > 0;
}

setInterval(() => {
  setText($("clock"), `${clock.format(Date.now())} ET`);
  for (const symbol of state.symbols.values()) {
    const age = symbol.at ? Date.now() - symbol.at : null;
    setText(symbol.card.age, age === null || age < 2000 ? "" : `${Math.round(age / 1000)} s`);
    symbol.card.root.classList.toggle("stale", !state.up || (age !== null && age > STALE_MS));
  }
  showBanner();
}, 1000);
