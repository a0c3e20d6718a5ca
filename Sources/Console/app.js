// The console of a Striketape gateway: forms, keys, and the start.
import { $, isNumber, price, setText, signed, state } from "./base.js";
import { connect, loadSymbols, request, watchPlan } from "./net.js";
import { schedule, watchSymbol } from "./view.js";

const form = $("plan-form");

export function openDialog(symbol) {
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
