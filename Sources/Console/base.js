// What the console's parts share: its state, text and number forms, element makers.
// Everything that comes from outside is shown as text nodes only.

export const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
export const HITS_MAX = 200, STALE_MS = 15000, CARDS_MAX = 24, OPEN = ["draft", "armed", "entered"];

export const state = {
  socket: null, attempt: 0, nextId: 1, key: sessionStorage.getItem("striketape.key") || "",
  wanted: new Set(["plans", "health"]), plans: new Map(), symbols: new Map(), health: new Map(), seen: new Set(),
  hits: 0, unnamed: [], dirty: new Set(), frame: 0, lastFrame: 0, up: false, refused: new Set(),
};


export function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "class") node.className = value; else node.setAttribute(name, value);
  }
  for (const child of children) if (child !== null && child !== undefined) node.append(child);
  return node;
}
export function svg(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}
export const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
export function price(value) {
  if (!isNumber(value)) return "–";
  const decimals = Math.abs(value) < 1 ? 4 : 2;
  const exact = String(value).split(".")[1] || "";
  return value.toFixed(Math.min(6, Math.max(decimals, exact.length <= 6 ? exact.length : decimals)));
}
export const rounded = (value, digits) => (isNumber(value) ? value.toFixed(digits) : "–");
export const signed = (value, digits) => (isNumber(value) ? (value > 0 ? "+" : "") + value.toFixed(digits) : "–");
export const tone = (value) => (isNumber(value) && value !== 0 ? (value > 0 ? "up" : "down") : "dim");
export const level = (value) => (isNumber(value) ? value : value && isNumber(value.price) ? value.price : null);
export function setText(node, text) { if (node.textContent !== text) node.textContent = text; }
export function setClass(node, name) { if (node.className !== name) node.className = name; }

export const clock = new Intl.DateTimeFormat("en-GB", {
  timeZone: "America/New_York", hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false,
});
// Times are nanoseconds in text: too long for a number.
export const millis = (nanos) => (typeof nanos === "string" && /^\d{7,}$/.test(nanos) ? Number(nanos.slice(0, -6)) : NaN);
export const timeOf = (nanos) => { const at = millis(nanos); return Number.isNaN(at) ? "" : clock.format(at); };
