// Open the page of a fleet in headless Chromium, filter and sort its runs, and tell what was seen as JSON on standard output.
//   node fleet.mjs CHROMIUM PAGE
// It only looks; what is right is asserted in tests/e2e/test_fleet_browser.py.
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [executablePath, file] = process.argv.slice(2);
const url = pathToFileURL(file).href;
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"],
});
const seen = { console: [], width: {} };

function watch(page) {
  page.on("console", (message) => seen.console.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => seen.console.push(`pageerror: ${error.message}`));
}

// The runs that are shown, field by field, and what the page says of itself.
function runs(page) {
  return page.evaluate(async () => {
    await new Promise((done) => setTimeout(done)); // the page, too, takes a reset after the event
    const section = [...document.querySelectorAll(".runs")].find((one) => one.checkVisibility());
    const rows = [...section.querySelectorAll("tbody tr")].filter((row) => row.checkVisibility());
    const sorted = section.querySelector("th[aria-sort]");
    return {
      rows: rows.map((row) => [...row.cells].map((cell) => cell.textContent.trim())),
      count: section.querySelector("output").textContent,
      sorted: sorted && [sorted.textContent, sorted.getAttribute("aria-sort")],
      focus: document.activeElement.textContent,
    };
  });
}

for (const [name, lang] of [["english", "en"], ["french", "fr"]]) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  watch(page);
  await page.goto(`${url}#${lang}`);
  const section = page.locator(".runs:visible");
  const [kind, model, status] = ["0", "1", "2"].map((i) => section.locator("select[data-column]").nth(+i));
  const state = (seen[name] = { all: await runs(page) });
  await kind.selectOption({ index: 2 });
  state.kind = await runs(page);
  await model.selectOption({ index: 1 });
  state.both = await runs(page);
  await section.locator("button[type=reset]").click();
  state.reset = await runs(page);
  await status.selectOption({ index: 1 });
  state.status = await runs(page);
  await section.locator("button[type=reset]").click();
  await section.locator("input").fill("does NOT fit");
  state.search = await runs(page);
  await section.locator("input").fill("<script>");
  state.nothing = await runs(page);
  await section.locator("button[type=reset]").click();
  // By keyboard: from the button that shows all, the first stop is the table, then the head of each column.
  await section.locator("button[type=reset]").focus();
  for (let i = 0; i < 9; i += 1) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  state.ascending = await runs(page);
  await page.keyboard.press("Space");
  state.descending = await runs(page);
  await section.locator(".order").selectOption({ index: 1 });
  state.by_name = await runs(page);
  await page.close();
}

for (const scheme of ["light", "dark"]) {
  for (const lang of ["en", "fr"]) {
    const phone = await browser.newPage({ viewport: { width: 360, height: 740 }, colorScheme: scheme });
    watch(phone);
    await phone.goto(`${url}#${lang}`);
    seen.width[`${scheme}-${lang}`] = await phone.evaluate(() => {
      for (const model of document.querySelectorAll(".model")) model.style.contentVisibility = "visible";
      return [document.documentElement.scrollWidth, window.innerWidth];
    });
    seen.hint = await phone.evaluate(() => {
      const cell = [...document.querySelectorAll(".t-runs td")].find((one) => one.checkVisibility());
      return getComputedStyle(cell, "::before").content;
    });
    await phone.close();
  }
}

const context = await browser.newContext({ javaScriptEnabled: false });
const plain = await context.newPage();
await plain.goto(url);
seen.plain = {
  rows: await plain.locator(".t-runs:visible tbody tr:visible").count(),
  forms: await plain.locator("form:visible").count(),
  buttons: await plain.locator("th button").count(),
};
await context.close();
await browser.close();
console.log(JSON.stringify(seen));
