// The connection to the gateway: its WebSocket API (protocol.md 3: frames are JSON arrays of envelopes and replies)
// and its HTTP API. Keeps the state; the view shows it.
import { $, STALE_MS, clock, el, isNumber, millis, setClass, setText, state } from "./base.js";
import { addGap, addHit, schedule, watchSymbol } from "./view.js";

const POINTS_MAX = 400;

export function connect() {
  setLink(state.attempt === 0 ? "connecting" : "reconnecting", "fair");
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}/ws`, "striketape.v1");
  state.socket = socket;
  socket.onopen = () => {
    if (state.key) send({ op: "auth", token: state.key });
    subscribe([...state.wanted]);
  };
  socket.onmessage = (event) => {
    state.lastFrame = Date.now();
    let frame;
    try { frame = JSON.parse(event.data); } catch { return socket.close(); }
    if (Array.isArray(frame)) for (const message of frame) take(message);
    schedule();
  };
  socket.onclose = (event) => closed(socket, event);
}

function closed(socket, event) {
  if (socket !== state.socket) return;
  state.socket = null;
  state.up = false;
  if (event.code === 4003) {
    setLink("key needed", "bad");
    $("auth").showModal();
    return;
  }
  state.attempt += 1;
  const wait = Math.min(15000, 250 * 2 ** Math.min(state.attempt, 6)) * (0.5 + Math.random() / 2);
  setLink(event.code === 1012 ? "restarting" : `offline (${event.code})`, "bad");
  showBanner();
  setTimeout(connect, wait);
}

function send(request) {
  if (!state.socket || state.socket.readyState !== WebSocket.OPEN) return;
  state.socket.send(JSON.stringify({ id: state.nextId++, ...request }));
}

export function subscribe(channels) {
  for (const channel of channels) state.wanted.add(channel);
  for (let at = 0; at < channels.length; at += 200) {
    const part = channels.slice(at, at + 200);
    // Twenty updates a second are more than an eye sees.
    send({ op: "subscribe", channels: part.map((ch) => (/^(symbol|bands|plan):/.test(ch) ? { ch, maxRate: 20 } : ch)) });
  }
}

function setLink(text, kind) {
  setText($("link"), text);
  setClass($("link"), `badge ${kind}`);
}

function take(message) {
  if (message.op) return control(message);
  const [kind, ...rest] = String(message.ch).split(":");
  const key = rest.join(":");
  switch (kind) {
    case "plan": return takePlan(key, message);
    case "plans": return takePlans(message);
    case "symbol": case "bands": return takeSymbol(kind, key, message);
    case "health": return takeHealth(message);
  }
}

function control(message) {
  if (message.op === "subscribed") {
    state.up = true;
    state.attempt = 0;
    setLink("live", "good");
    if ((message.channels || []).some((channel) => String(channel.ch).startsWith("plans"))) loadPlans();
  } else if (message.op === "gap") {
    addGap(message);
  } else if (message.op === "error") {
    if (message.code === "unavailable" && message.ch) {
      setTimeout(() => subscribe([message.ch]), 2000 + Math.random() * 1000);
    } else if (message.code === "unknown_channel" && message.ch) {
      const symbol = String(message.ch).replace(/^(symbol|bands):/, "");
      state.wanted.delete(message.ch);
      state.symbols.get(symbol)?.card.root.remove();
      state.symbols.delete(symbol);
      state.refused.add(symbol);
    }
  }
}

function takePlans(message) {
  if (message.type === "snapshot") return;
  const id = message.d && message.d.plan;
  if (typeof id === "string" && !state.plans.has(id)) watchPlan(id);
  if (message.type === "hit") addHit(message);
}

export function watchPlan(id) {
  const channel = `plan:${id}`;
  if (state.wanted.has(channel) && state.plans.has(id)) return;
  state.plans.set(id, { id, fields: {}, derived: {}, row: null });
  subscribe([channel]);
}

function takePlan(id, message) {
  const plan = state.plans.get(id) || { id, fields: {}, derived: {}, row: null };
  state.plans.set(id, plan);
  const data = message.d || {};
  if (message.type === "snapshot") {
    plan.fields = data;
    plan.derived = data.derived || {};
    if (data.plan && data.plan.symbol) watchSymbol(data.plan.symbol);
    // Hits that came before anything was known of their plan.
    for (const line of state.unnamed) if (line.id === id && data.plan) setText(line.name, ` ${data.plan.symbol} ${data.plan.side}`);
    for (const hit of data.hits || []) addHit({ d: { plan: id, ...hit } }, true);
  } else if (message.type === "delta") {
    Object.assign(plan.derived, data);
  } else if (message.type === "status") {
    for (const name of ["state", "stop", "blind", "reason"]) if (name in data) plan.fields[name] = data[name];
    // A new version has new levels: only a fresh snapshot has them.
    const version = plan.fields.plan && plan.fields.plan.version;
    if (data.version !== undefined && data.version !== version) subscribe([`plan:${id}`]);
  } else if (message.type === "hit") {
    const hits = plan.fields.hits || (plan.fields.hits = []);
    if (!hits.some((hit) => hit.i === data.i && hit.version === data.version)) hits.push(data);
    plan.flash = true;
    addHit(message);
  }
  state.dirty.add(plan);
}

function takeSymbol(kind, key, message) {
  const symbol = state.symbols.get(key);
  if (!symbol) return;
  const data = message.d || {};
  if (message.type === "snapshot") {
    Object.assign(symbol.tick, data.tick);
    Object.assign(symbol.bands, data.bands);
  } else if (message.type === "tick") {
    Object.assign(symbol.tick, data);
  } else if (message.type === "bands") {
    Object.assign(symbol.bands, data);
  }
  symbol.at = Date.now();
  addPoint(symbol, millis(message.t));
  state.dirty.add(symbol);
}

function addPoint(symbol, at) {
  const last = symbol.tick.last ?? symbol.tick.mid;
  if (!isNumber(last) || Number.isNaN(at) || at === 0) return;
  const bands = symbol.bands;
  const point = { at, last, vwap: bands.vwap, up1: bands.up1, dn1: bands.dn1, up2: bands.up2, dn2: bands.dn2 };
  const points = symbol.points;
  const previous = points[points.length - 1];
  if (previous && at < previous.at) return;
  // One point a quarter second of the tape's time: its newest.
  if (previous && Math.floor(at / 250) === Math.floor(previous.at / 250)) points[points.length - 1] = point;
  else points.push(point);
  // When full, every other one of the older half goes: the chart keeps the day and stays small.
  if (points.length > POINTS_MAX) symbol.points = points.filter((_, i) => i % 2 === 0 || i > POINTS_MAX / 2);
}

function takeHealth(message) {
  const data = message.d || {};
  if (message.type === "snapshot") {
    for (const [feed, value] of Object.entries(data.health || {})) {
      if (value && typeof value === "object") state.health.set(feed, value);
    }
  } else if (data.feed) {
    state.health.set(String(data.feed), data);
  }
  showHealth();
}

function showHealth() {
  const badges = [...state.health.entries()].sort().map(([feed, value]) => {
    const kind = { up: "good", degraded: "fair", down: "bad" }[value.state] || "";
    const lag = isNumber(value.lagMs) ? ` ${Math.round(value.lagMs)} ms` : "";
    return el("span", { class: `badge ${kind}`, title: value.reason ? String(value.reason) : "" },
      `${feed} ${value.state === "up" ? "" : value.state}${lag}`.trim());
  });
  $("badges").replaceChildren(...badges);
  showBanner();
}

export function showBanner() {
  const down = [...state.health.entries()].filter(([, value]) => value.state === "down");
  let text = "";
  if (!state.socket || !state.up) text = state.attempt > 0 ? "Not connected: what you see is not live. Reconnecting…" : "";
  else if (down.length) {
    text = `${down.map(([feed]) => feed).join(", ")} down: prices may be stale, plans may be blind.`;
  } else if (state.lastFrame && Date.now() - state.lastFrame > STALE_MS && hasOpenSession()) {
    text = `Nothing heard for ${Math.round((Date.now() - state.lastFrame) / 1000)} s: prices may be stale.`;
  }
  $("banner").hidden = !text;
  setText($("banner"), text);
}
const hasOpenSession = () => [...state.symbols.values()].some((symbol) => symbol.tick.session === "rth");

export async function request(method, path, body) {
  const headers = {};
  if (state.key) headers.Authorization = `Bearer ${state.key}`;
  if (body) headers["Content-Type"] = "application/json";
  if (method === "POST") {
    headers["Idempotency-Key"] = [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
  }
  const response = await fetch(path, { method, headers, body: body ? JSON.stringify(body) : undefined });
  const text = await response.text();
  let value = null;
  try { value = text ? JSON.parse(text) : null; } catch { /* said below */ }
  if (!response.ok) throw Object.assign(new Error((value && (value.detail || value.title)) || `HTTP ${response.status}`), { problem: value });
  return value;
}

async function loadPlans() {
  try {
    const answer = await request("GET", "/api/v1/plans");
    for (const item of (answer && answer.plans) || []) {
      const id = item.id || (item.plan && item.plan.id);
      if (id && !state.plans.has(id)) watchPlan(id);
    }
  } catch (error) { announce(`Plans can't be listed: ${error.message}`); }
}

export async function loadSymbols() {
  try {
    const answer = await request("GET", "/api/v1/symbols");
    for (const symbol of ((answer && answer.symbols) || []).slice(0, 8)) watchSymbol(symbol);
    $("symbol-list").replaceChildren(...((answer && answer.symbols) || []).map((value) => el("option", { value })));
  } catch { /* the plans' symbols are shown anyway */ }
}

export function announce(text) { $("banner").hidden = false; setText($("banner"), text); setTimeout(showBanner, 6000); }
