"use strict";
const articles = [...document.querySelectorAll("article[lang]")];
const buttons = [...document.querySelectorAll("button[data-lang]")];
function show(lang) {
  for (const article of articles) article.hidden = article.lang !== lang;
  for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.lang === lang));
  const shown = articles.find((article) => !article.hidden);
  document.documentElement.lang = lang;
  document.title = shown.querySelector("h1").textContent;
  document.querySelector("nav").setAttribute("aria-label", shown.dataset.language);
}
for (const button of buttons) {
  button.addEventListener("click", () => {
    show(button.dataset.lang);
    history.replaceState(null, "", "#" + button.dataset.lang);
  });
}
const asked = location.hash.slice(1);
if (articles.some((article) => article.lang === asked)) show(asked);
