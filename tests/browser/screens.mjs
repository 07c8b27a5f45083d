// Lay pages out on screens of several widths, in both languages, and on paper, and tell where things came to lie: a list in
// JSON on standard output, one entry a page, with `screens` and `paper`.
//   node screens.mjs CHROMIUM PAGE...
// It only measures; what is right is asserted in tests/e2e/test_page_screens.py.
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [executablePath, ...files] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"],
});

function measure() {
  const article = [...document.querySelectorAll("article")].find((one) => one.checkVisibility());
  const all = (selector) => [...article.querySelectorAll(selector)].filter((one) => one.checkVisibility());
  const box = (one) => one.getBoundingClientRect();
  const seen = { width: document.scrollingElement.scrollWidth, screen: innerWidth, cut: [], outside: [], struckThrough: [], tables: [] };
  seen.lead = box(article.querySelector(".lead")).bottom;
  const number = article.querySelector(".lead .number");
  seen.number = number && box(number).bottom;
  seen.picture = box(article.querySelector("figure")).top;
  seen.table = box(article.querySelector(".scroll")).top;

  const lines = (range) => new Set([...range.getClientRects()].filter((one) => one.width > 0).map((one) => Math.round(one.top))).size;
  // Words that lie on two lines. A digest has no place to break, and a word behind a hyphen is one of its own.
  const texts = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode, parent = text.parentElement;
    if (!parent.checkVisibility() || parent.closest("svg, .heard, pre")) continue;
    const whole = document.createRange();
    whole.selectNodeContents(text);
    if (lines(whole) < 2) continue;
    for (const word of text.data.matchAll(/[^\s\-/.,:=+_\u2060]+/g)) {
      if (/^[0-9a-f]{32,}$/.test(word[0])) continue;
      const range = document.createRange();
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      if (lines(range) > 1) seen.cut.push(word[0]);
    }
  }

  for (const drawing of all("svg")) {
    const edge = box(drawing);
    for (const text of drawing.querySelectorAll("text")) {
      const place = box(text);
      if (place.left < edge.left - 1 || place.right > edge.right + 1 || place.top < edge.top - 1 || place.bottom > edge.bottom + 1)
        seen.outside.push(text.textContent);
    }
    for (const figure of drawing.querySelectorAll("text.v")) {
      const place = box(figure);
      for (const ceiling of [...drawing.querySelectorAll(".ceiling")].map(box))
        if (ceiling.left > place.left && ceiling.right < place.right && ceiling.top < place.bottom && ceiling.bottom > place.top)
          seen.struckThrough.push(figure.textContent);
    }
  }

  for (const scroll of all(".scroll")) {
    const table = { name: scroll.querySelector("caption").textContent, over: scroll.scrollWidth - scroll.clientWidth };
    if (table.over > 1) {
      const style = getComputedStyle(scroll);
      table.sign = style.backgroundImage.split("gradient(").length - 1;
      table.scrolls = style.overflowX;
      table.key = scroll.tabIndex;
      scroll.scrollLeft = table.over;
      table.nameStays = box(scroll.querySelector("tbody th")).left >= box(scroll).left - 1;
    }
    seen.tables.push(table);
  }

  seen.findings = all("td > .wide").filter((one) => one.textContent.length > 60).map((one) => box(one).width / box(one.closest("tr")).width);
  return seen;
}

async function look(url) {
  const screens = {};
  const page = await browser.newPage({ colorScheme: "dark" });
  await page.goto(url);
  for (const language of ["en", "fr"]) {
    await page.click(`button[data-lang="${language}"]`);
    for (const [width, height] of [[360, 640], [768, 1024], [1440, 900]]) {
      await page.setViewportSize({ width, height });
      await page.evaluate(() => scrollTo(0, 0));
      screens[`${width} ${language}`] = await page.evaluate(measure);
    }
  }
  await page.setViewportSize({ width: 700, height: 1000 });
  await page.emulateMedia({ media: "print" });
  const paper = await page.evaluate(() => {
    const of = (one, property) => getComputedStyle(one)[property];
    const seen = [...document.querySelectorAll("article *")].filter((one) => one.checkVisibility());
    const dark = (colour) => {
      const [red, green, blue, alpha = 1] = colour.match(/[\d.]+/g).map(Number);
      return alpha > 0 && red + green + blue < 3 * 200;
    };
    const lead = document.querySelector(".lead");
    return {
      dark: seen.filter((one) => !one.closest("svg, .key") && dark(of(one, "backgroundColor"))).map((one) => one.className || one.tagName),
      left: of(lead, "borderLeftStyle"),
      shadows: seen.filter((one) => one.matches(".scroll") && of(one, "backgroundImage") !== "none").length,
      torn: seen.filter((one) => one.matches("figure, tr, .scroll, h2, h3") && !one.querySelector("table .wide") && of(one, "breakInside") !== "avoid").length,
      folded: document.querySelectorAll("details:not([open])").length,
    };
  });
  await page.close();
  return { screens, paper };
}

const all = [];
for (const file of files) all.push(await look(pathToFileURL(file).href));
await browser.close();
console.log(JSON.stringify(all));
