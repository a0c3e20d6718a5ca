"use strict";
// The console of a Striketape gateway, written on its WebSocket API (protocol.md 3): frames are JSON arrays of
// envelopes and replies. Everything that comes from outside is shown as text nodes only.
(() => {
  const $ = (id) => document.getElementById(id);
  const SVG = "http://www.w3.org/2000/svg";
  const HITS_MAX = 200, POINTS_MAX = 400, STALE_MS = 15000, CARDS_MAX = 24, OPEN = ["draft", "armed", "entered"];

  const state = {
    socket: null, attempt: 0, nextId: 1, key: sessionStorage.getItem("striketape.key") || "",
    wanted: new Set(["plans", "health"]), plans: new Map(), symbols: new Map(), health: new Map(), seen: new Set(),
    hits: 0, unnamed: [], dirty: new Set(), frame: 0, lastFrame: 0, up: false, pinned: new Set(), refused: new Set(),
  };

  // ---- Small helpers -------------------------------------------------------------------------------------------

  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name === "class") node.className = value; else node.setAttribute(name, value);
    }
    for (const child of children) if (child !== null && child !== undefined) node.append(child);
    return node;
  }
  function svg(tag, attributes) {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  }
  const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
  function price(value) {
    if (!isNumber(value)) return "–";
    const decimals = Math.abs(value) < 1 ? 4 : 2;
    const exact = String(value).split(".")[1] || "";
    return value.toFixed(Math.min(6, Math.max(decimals, exact.length <= 6 ? exact.length : decimals)));
  }
  const rounded = (value, digits) => (isNumber(value) ? value.toFixed(digits) : "–");
  const signed = (value, digits) => (isNumber(value) ? (value > 0 ? "+" : "") + value.toFixed(digits) : "–");
  const tone = (value) => (isNumber(value) && value !== 0 ? (value > 0 ? "up" : "down") : "dim");
  const level = (value) => (isNumber(value) ? value : value && isNumber(value.price) ? value.price : null);
  function setText(node, text) { if (node.textContent !== text) node.textContent = text; }
  function setClass(node, name) { if (node.className !== name) node.className = name; }

  const clock = new Intl.DateTimeFormat("en-GB", {
    timeZone: "America/New_York", hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false,
  });
  // Times are nanoseconds in text: too long for a number.
  const millis = (nanos) => (typeof nanos === "string" && /^\d{7,}$/.test(nanos) ? Number(nanos.slice(0, -6)) : NaN);
  const timeOf = (nanos) => { const at = millis(nanos); return Number.isNaN(at) ? "" : clock.format(at); };

  // ---- Connection ----------------------------------------------------------------------------------------------

  function connect() {
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

  function subscribe(channels) {
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

  // ---- Messages ------------------------------------------------------------------------------------------------

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

  function watchPlan(id) {
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

  function showBanner() {
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

  // ---- HTTP ----------------------------------------------------------------------------------------------------

  async function request(method, path, body) {
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

  async function loadSymbols() {
    try {
      const answer = await request("GET", "/api/v1/symbols");
      for (const symbol of ((answer && answer.symbols) || []).slice(0, 8)) watchSymbol(symbol);
      $("symbol-list").replaceChildren(...((answer && answer.symbols) || []).map((value) => el("option", { value })));
    } catch { /* the plans' symbols are shown anyway */ }
  }

  function announce(text) { $("banner").hidden = false; setText($("banner"), text); setTimeout(showBanner, 6000); }

  // ---- Symbols -------------------------------------------------------------------------------------------------

  function watchSymbol(name) {
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

  // ---- Plans ---------------------------------------------------------------------------------------------------

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

  // ---- Hits ----------------------------------------------------------------------------------------------------

  function addHit(message, isPast) {
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

  function addGap(message) {
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

  // ---- Drawing -------------------------------------------------------------------------------------------------

  function schedule() { if (!state.frame) state.frame = requestAnimationFrame(draw); }

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

  // ---- Forms ---------------------------------------------------------------------------------------------------

  const form = $("plan-form");

  function openDialog(symbol) {
    clearErrors();
    if (symbol) {
      form.elements.symbol.value = symbol;
      const last = state.symbols.get(symbol)?.tick.last;
      if (isNumber(last) && !form.elements.entry.value) form.elements.entry.value = price(last);
    }
    $("dialog").showModal();
    (symbol ? form.elements.entry : form.elements.symbol).focus();
  }

  function clearErrors() {
    for (const node of form.querySelectorAll(".err")) setText(node, "");
    $("form-error").hidden = true;
  }

  // What isn't a number goes as text, so that the gateway names the field.
  const number = (text) => { const t = text.trim(); return t === "" ? null : /^-?\d+(\.\d+)?$/.test(t) ? Number(t) : t; };
  function targetsOf(text) {
    return text.split(/[,;]/).map((part) => part.trim()).filter(Boolean).map((part) => {
      const [at, share] = part.split(/[×x*@\s]+/).filter(Boolean);
      return { price: number(at), fraction: share === undefined ? null : number(share) };
    });
  }

  function planOf() {
    const field = (name) => form.elements[name].value;
    const targets = targetsOf(field("targets"));
    // Fractions left out are shared equally.
    const open = targets.filter((target) => target.fraction === null);
    const rest = 1 - targets.reduce((sum, target) => sum + (isNumber(target.fraction) ? target.fraction : 0), 0);
    for (const target of open) target.fraction = Math.floor((rest / open.length) * 1e6) / 1e6;
    const after = number(field("trailAfter")), distance = number(field("trailDistance"));
    return {
      symbol: field("symbol").trim().toUpperCase(), side: field("side"), style: field("style"), trigger: field("trigger"),
      entry: { type: field("entryType"), price: number(field("entry")) }, stop: { price: number(field("stop")) }, targets,
      breakevenAfter: number(field("breakevenAfter")),
      trail: after === null && distance === null ? null : { after, distance },
      rationale: field("rationale").trim() || null,
    };
  }

  function preview() {
    const plan = planOf(), entry = plan.entry.price, stop = plan.stop.price;
    if (!isNumber(entry) || !isNumber(stop) || entry === stop) return setText($("preview"), "");
    const risk = Math.abs(entry - stop), sign = plan.side === "long" ? 1 : -1;
    const rs = plan.targets.filter((target) => isNumber(target.price)).map((target) => `${signed((sign * (target.price - entry)) / risk, 2)} R`);
    setText($("preview"), `R = ${price(Number(risk.toFixed(6)))}   targets ${rs.join("  ") || "–"}`);
  }

  function showProblem(error) {
    const problems = (error.problem && error.problem.problems) || [];
    const rest = [];
    for (const problem of problems) {
      const name = String(problem.field ?? "");
      const node = [...form.querySelectorAll(".err")].filter((n) => name === n.dataset.for || name.startsWith(`${n.dataset.for}.`) || name.startsWith(`${n.dataset.for}[`))
        .sort((a, b) => b.dataset.for.length - a.dataset.for.length)[0];
      if (node) setText(node, [node.textContent, String(problem.message)].filter(Boolean).join("; "));
      else rest.push(`${name}: ${problem.message}`);
    }
    if (rest.length || !problems.length) {
      $("form-error").hidden = false;
      setText($("form-error"), rest.join("; ") || error.message);
    }
  }

  form.addEventListener("input", preview);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    clearErrors();
    const button = form.querySelector("button[type=submit]");
    button.disabled = true;
    try {
      const answer = await request("POST", "/api/v1/plans", planOf());
      const body = answer && (answer.plan || answer);
      const id = body && (body.id || (body.plan && body.plan.id));
      if (id) watchPlan(id);
      form.reset();
      setText($("preview"), "");
      $("dialog").close();
    } catch (error) { showProblem(error); }
    button.disabled = false;
  });
  $("close-dialog").onclick = () => $("dialog").close();
  $("new-plan").onclick = () => openDialog("");
  $("clear-hits").onclick = () => { $("hit-rows").replaceChildren(); $("no-hits").hidden = false; };
  $("open-only").onchange = () => { for (const plan of state.plans.values()) state.dirty.add(plan); schedule(); };
  $("watch").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = $("watch-symbol").value.trim().toUpperCase();
    if (name) { state.refused.delete(name); watchSymbol(name); }
    $("watch-symbol").value = "";
  });
  $("auth-form").addEventListener("submit", (event) => {
    event.preventDefault();
    state.key = event.target.elements.key.value;
    sessionStorage.setItem("striketape.key", state.key);
    $("auth").close();
    loadSymbols();
    connect();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "n" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName) || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    openDialog("");
  });

  loadSymbols();
  connect();
})();
