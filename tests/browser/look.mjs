// Open pages in headless Chromium and tell what was seen of each, as a list in JSON on standard output.
//   node look.mjs CHROMIUM PAGE...      SCREENSHOTS=FOLDER keeps what the last page looked like
// It only looks; what is right is asserted in tests/e2e/test_page_browser.py.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [executablePath, ...files] = process.argv.slice(2);
const shots = process.env.SCREENSHOTS;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"],
});

async function look(url) {
  const seen = { console: [], requests: [], dialogs: 0, width: {}, axe: {}, lang: [], print: {} };

  function watch(page) {
    page.on("console", (message) => seen.console.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => seen.console.push(`pageerror: ${error.message}`));
    page.on("request", (request) => { if (request.url() !== url) seen.requests.push(request.url()); });
    page.on("dialog", (dialog) => { seen.dialogs += 1; dialog.dismiss(); });
  }

  function state(page) {
    return page.evaluate(() => ({
      html: document.documentElement.lang,
      title: document.title,
      shown: [...document.querySelectorAll("article")].filter((a) => a.checkVisibility()).map((a) => a.lang),
      heading: [...document.querySelectorAll("h1")].filter((h) => h.checkVisibility()).map((h) => h.textContent),
      pressed: [...document.querySelectorAll('button[aria-pressed="true"]')].map((b) => b.lang),
      focus: document.activeElement.tagName === "BUTTON" ? document.activeElement.textContent : "",
      nav: document.querySelector("nav").getAttribute("aria-label"),
      hash: location.hash,
    }));
  }

  async function faults(page) {
    await page.evaluate(axe);
    const found = await page.evaluate(() => window.axe.run(document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }));
    seen.rules = found.passes.length;
    return found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ")).slice(0, 3).join("; ")}`);
  }

  for (const [name, options] of [
    ["wide-light", { viewport: { width: 1440, height: 900 }, colorScheme: "light" }],
    ["wide-dark", { viewport: { width: 1440, height: 900 }, colorScheme: "dark" }],
    ["phone-light", { viewport: { width: 360, height: 740 }, colorScheme: "light" }],
  ]) {
    const page = await browser.newPage(options);
    watch(page);
    await page.goto(url);
    seen.width[name] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
    if (shots) await page.screenshot({ path: `${shots}/${name}.png`, fullPage: true });
    if (name === "wide-light") {
      seen.lang.push(await state(page));
      // From the top: the first stop of the Tab key is English, the second French.
      await page.keyboard.press("Tab");
      await page.keyboard.press("Tab");
      seen.lang.push(await state(page));
      await page.keyboard.press("Enter");
      seen.lang.push(await state(page));
      seen.axe["wide-light-french"] = await faults(page);
      await page.keyboard.press("Shift+Tab");
      await page.keyboard.press("Space");
      seen.lang.push(await state(page));
    }
    seen.axe[name] = await faults(page);
    if (name === "phone-light") {
      await page.goto("about:blank");
      await page.goto(`${url}#fr`);
      seen.linked = await state(page);
      seen.width["phone-french"] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
      if (shots) await page.screenshot({ path: `${shots}/phone-french.png`, fullPage: true });
    }
    await page.close();
  }

  const paper = await browser.newPage({ colorScheme: "dark" });
  watch(paper);
  await paper.goto(url);
  await paper.emulateMedia({ media: "print" });
  seen.print = await paper.evaluate(() => ({
    background: getComputedStyle(document.documentElement).backgroundColor,
    nav: document.querySelector("nav").checkVisibility(),
  }));
  const pdf = await paper.pdf({ format: "A4", path: shots ? `${shots}/print.pdf` : undefined, margin: { top: "15mm", bottom: "15mm", left: "12mm", right: "12mm" } });
  seen.print.pages = pdf.toString("latin1").split("/Type /Page\n").length - 1;

  await paper.close();

  const context = await browser.newContext({ javaScriptEnabled: false });
  const plain = await context.newPage();
  await plain.goto(url);
  seen.without_script = await plain.locator("h1:visible").allTextContents();
  await context.close();

  seen.requests = seen.requests.filter((request) => !request.startsWith("data:") && request !== `${url}#fr` && request !== "about:blank");
  return seen;
}

const all = [];
for (const file of files) all.push(await look(pathToFileURL(file).href));
await browser.close();
console.log(JSON.stringify(all));
