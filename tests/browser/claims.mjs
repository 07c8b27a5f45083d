// Use docs/possible.html in headless Chromium and tell what it said, as JSON in a file.
//   node claims.mjs CHROMIUM PAGE ASKED SAID      SCREENSHOTS=FOLDER keeps what it looked like
// ASKED has `judged` (a list of lists of claims by their fields, for the function that the page exposes), `typed` (claims to put
// into the form), `pasted` (texts) and `looked` (whether to look at the page itself). Python compares.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [executablePath, file, asked, into] = process.argv.slice(2);
const { judged = [], typed = [], pasted = [], looked = false } = JSON.parse(readFileSync(asked, "utf8"));
const url = pathToFileURL(file).href;
const shots = process.env.SCREENSHOTS;
const said = { judged: [], typed: [], pasted: [], console: [], requests: [], width: {}, axe: {} };
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"],
});

async function open(options = {}, address = url) {
  const context = await browser.newContext({ locale: "en-US", ...options });
  const page = await context.newPage();
  page.on("console", (message) => said.console.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => said.console.push(`pageerror: ${error.message}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(url) && !/^(data:|about:blank$)/.test(request.url())) said.requests.push(request.url());
  });
  await page.goto(address);
  return page;
}

const state = (page) => page.evaluate(() => {
  const text = (id) => document.getElementById(id).textContent;
  const shown = (id) => document.getElementById(id).checkVisibility();
  return {
    lang: document.documentElement.lang, title: document.title, pressed: document.querySelector('[aria-pressed="true"]').lang,
    word: text("word"), reason: text("reason"), lines: [...document.querySelectorAll("#lines li")].map((line) => line.textContent),
    command: shown("same") ? text("command") : null, config: shown("same") && shown("with-config") ? text("config") : null,
    link: document.getElementById("link").value, hash: location.hash,
    bad: Object.fromEntries([...document.querySelectorAll(".bad")].filter((p) => p.textContent).map((p) => [p.id.replace("-bad", ""), p.textContent])),
    invalid: [...document.querySelectorAll('[aria-invalid="true"]')].map((input) => input.id),
    fields: Object.fromEntries([...document.querySelectorAll("[data-field]")].map((input) => [input.id, input.value])),
  };
});

async function type(page, fields) {
  for (const [name, value] of Object.entries(fields)) {
    const field = page.locator(`#${name}`);
    if (["gpu", "model", "precision"].includes(name)) await field.selectOption(value);
    else if (name === "tied") await field.setChecked(value === "yes");
    else await field.fill(value);
  }
}

async function faults(page) {
  await page.evaluate(readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8"));
  const found = await page.evaluate(() => window.axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  }));
  said.rules = found.passes.length;
  return found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ")).slice(0, 3).join("; ")}`);
}

/** Open an address in a page that has another fragment of it open, which alone would load nothing anew. */
async function afresh(page, address) {
  await page.goto("about:blank");
  await page.goto(address);
}

const page = await open();
for (const claims of judged) {
  // As text: playwright walks through objects much more slowly than JSON does.
  const answers = await page.evaluate((all) => JSON.stringify(JSON.parse(all).map(window.possible.judge)), JSON.stringify(claims));
  said.judged.push(JSON.parse(answers));
}
const french = typed.length ? await open({ locale: "fr-FR" }) : null;
for (const fields of typed) {
  await afresh(page, url);
  await type(page, fields);
  const english = await state(page);
  let linked = null;
  if (english.word) {
    await afresh(french, english.link);
    linked = await state(french);
  }
  await page.locator('button[data-lang="fr"]').click();
  said.typed.push({ english, linked, french: await state(page) });
}
for (const text of pasted) {
  await afresh(page, url);
  await page.locator("#words").fill(text);
  said.pasted.push({ ...(await state(page)), understood: await page.locator("#understood").textContent() });
}

if (looked) {
  const [wide, phone] = [{ width: 1440, height: 900 }, { width: 360, height: 740 }];
  for (const [name, viewport, colorScheme, lang] of [
    ["wide-light", wide, "light", "en"], ["wide-dark", wide, "dark", "fr"],
    ["phone-light", phone, "light", "fr"], ["phone-dark", phone, "dark", "en"],
  ]) {
    const fresh = await open({ viewport, colorScheme }, `${url}#${lang}`);
    // All there is to be seen: the fields for another card and model, and what is wrong with one.
    if (colorScheme === "light") await type(fresh, { gpu: "other", model: "other", batch: "0" });
    said.width[name] = await fresh.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
    said.axe[name] = await faults(fresh);
    if (shots) await fresh.screenshot({ path: `${shots}/${name}.png`, fullPage: true });
    await fresh.context().close();
  }
  await afresh(page, url);
  said.opened = await state(page);
  // By keyboard alone: the second stop of the Tab key is French.
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  said.switched = await state(page);
  await afresh(page, `${url}#gpu=Voodoo+2&model=%3Cb%3E&precision=float16&tokens-per-s=%3Cscript%3Ealert(1)%3C%2Fscript%3E&lang=en`);
  said.hostile = await state(page);
  const copying = await open();
  await copying.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await copying.locator("#copy").click();
  await copying.waitForFunction(() => document.getElementById("copied").textContent);
  said.copied = [await copying.evaluate(() => navigator.clipboard.readText()), await copying.locator("#link").inputValue()];
  const paper = await open({ colorScheme: "dark" });
  await paper.emulateMedia({ media: "print" });
  said.print = await paper.evaluate(() => ({
    background: getComputedStyle(document.documentElement).backgroundColor,
    form: document.querySelector("form").checkVisibility(),
    verdict: document.getElementById("word").checkVisibility(),
  }));
  const plain = await open({ javaScriptEnabled: false });
  said.without_script = await plain.locator("noscript").innerText();
}
await browser.close();
writeFileSync(into, JSON.stringify(said));
