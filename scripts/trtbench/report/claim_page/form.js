// The page itself: fields, verdict, link. The fields are in the fragment of the address, so that a link opens with its verdict.

const DATA = JSON.parse(document.getElementById("data").textContent);
const { LIMITS, PRECISIONS, CARDS, SHAPE, MODELS, LANGUAGES, EXAMPLE } = DATA;
const at = (id) => document.getElementById(id);
const inputs = [...document.querySelectorAll("[data-field]")];
let code = "en";

const textOf = (input) => (input.type === "checkbox" ? (input.checked ? "yes" : "") : input.value);
const fieldsNow = () => Object.fromEntries(inputs.map((input) => [input.id, textOf(input)]));
const say = (key, figures = {}) => told(code, said(key, figures));

/** Everything that the page says of these fields, in both languages: what a test asks for. */
function judge(fields) {
  const { faults, claim } = read(fields);
  const both = (what) => ({ en: told("en", what), fr: told("fr", what) });
  if (!claim) return { faults: Object.fromEntries(Object.entries(faults).map(([name, what]) => [name, both(what)])) };
  const answer = examine(claim);
  const lines = (language) => answer.lines.map((line) => told(language, line));
  return { possible: answer.possible, en: lines("en"), fr: lines("fr") };
}

function fill(fields) {
  for (const input of inputs) {
    const value = fields[input.id] ?? "";
    if (input.type === "checkbox") input.checked = value === "yes";
    else input.value = value;
  }
}

/** Fields and language of the address; the example where it has none. */
function load() {
  const fragment = location.hash.slice(1);
  const asked = new URLSearchParams(fragment in LANGUAGES ? `lang=${fragment}` : fragment);
  const preferred = navigator.language.startsWith("fr") ? "fr" : "en";
  code = asked.get("lang") in LANGUAGES ? asked.get("lang") : preferred;
  asked.delete("lang");
  fill([...asked].length ? { ...DATA.DEFAULTS, ...Object.fromEntries(asked) } : EXAMPLE);
  translate();
  show();
}

/** The address of this page with claim and language in it. */
function link() {
  const fields = Object.entries(fieldsNow()).filter(([name, value]) => value.trim() !== "" && used(name));
  return `${location.href.split("#")[0]}#${new URLSearchParams([...fields, ["lang", code]])}`;
}

const keep = () => history.replaceState(null, "", link());

/** Whether a field counts: those of another card or model do only if that is chosen. */
function used(name) {
  if (at(name).closest("#other-card")) return at("gpu").value === OTHER;
  return !at(name).closest("#other-model") || at("model").value === OTHER;
}

function translate() {
  document.documentElement.lang = code;
  document.title = say("claim_page.title");
  for (const node of document.querySelectorAll("[data-word]")) node.textContent = say(node.dataset.word);
  document.querySelector("nav").setAttribute("aria-label", say("claim_page.language"));
  for (const button of document.querySelectorAll("[data-lang]")) {
    button.setAttribute("aria-pressed", String(button.dataset.lang === code));
  }
}

function show() {
  at("other-card").hidden = at("gpu").value !== OTHER;
  at("other-model").hidden = at("model").value !== OTHER;
  const { faults, claim, command, config } = read(fieldsNow());
  for (const input of inputs) {
    const fault = faults[input.id];
    at(`${input.id}-bad`).textContent = fault ? told(code, fault) : "";
    input.setAttribute("aria-invalid", String(Boolean(fault)));
  }
  at("same").hidden = !claim;
  at("copied").textContent = "";
  at("link").value = link();
  const lines = claim ? examine(claim).lines : [said("claim_page.unread")];
  verdict(lines.at(-1));
  const items = lines.slice(0, -1).map((line) => Object.assign(document.createElement("li"), { textContent: told(code, line) }));
  at("lines").replaceChildren(...items);
  if (!claim) return;
  at("command").textContent = command;
  at("with-config").hidden = !config;
  at("config").textContent = config ? JSON.stringify(config, null, 1) : "";
}

function verdict(line) {
  const { word, why } = line.key === "claim.verdict" ? line.figures : { word: "", why: line };
  at("verdict").className = `lead ${{ "claim.impossible": "w-void", "": "" }[word.key ?? word] ?? "w-equivalent"}`;
  at("word").textContent = word && told(code, word);
  at("reason").textContent = word ? `${told(code, why)}.` : told(code, why);
}

/** Fill the fields with what was found in a claim in words, and say which. */
function understand() {
  const found = fieldsIn(at("words").value);
  for (const [name, value] of Object.entries(found)) at(name).value = value;
  const names = Object.keys(found).map((name) => document.querySelector(`label[for="${name}"]`).textContent);
  at("understood").textContent = at("words").value.trim() === "" ? ""
    : names.length ? say("claim_page.understood", { fields: names.join(" · ") }) : say("claim_page.not_understood");
  show();
  keep();
}

async function copy() {
  at("link").select();
  try {
    await navigator.clipboard.writeText(at("link").value);
    at("copied").textContent = say("claim_page.copied");
  } catch { // a page of a plain address, or a browser that was told not to
    at("copied").textContent = say(document.execCommand("copy") ? "claim_page.copied" : "claim_page.copy_failed");
  }
}

for (const input of inputs) {
  input.addEventListener("input", () => {
    show();
    keep();
  });
}
for (const button of document.querySelectorAll("[data-lang]")) {
  button.addEventListener("click", () => {
    code = button.dataset.lang;
    translate();
    at("understood").textContent = "";
    show();
    keep();
  });
}
at("words").addEventListener("input", understand);
at("copy").addEventListener("click", copy);
at("claim").addEventListener("submit", (event) => event.preventDefault());
window.addEventListener("hashchange", load);
load();
window.possible = Object.freeze({ judge, fieldsIn });
