{
  for (const section of document.querySelectorAll(".runs")) {
    const table = section.querySelector("table"), body = table.tBodies[0], form = section.querySelector("form");
    const rows = [...body.rows], heads = [...table.tHead.rows[0].cells], names = heads.map((head) => head.textContent);
    const order = form.querySelector(".order"), search = form.querySelector("input"), count = form.querySelector("output");
    const choices = [...form.querySelectorAll("select[data-column]")];
    const { decimal, group } = section.dataset;
    const inWords = new Intl.Collator(section.closest("article").lang, { numeric: true });
    const texts = new Map(rows.map((row) => [row, [...row.cells].map((cell) => cell.textContent.trim())]));

    // What a number of this language is; below every number where a field has none.
    const value = (text) => {
      const found = parseFloat(text.replaceAll(group, "").replace(decimal, "."));
      return Number.isNaN(found) ? -Infinity : found;
    };

    function filter() {
      const wanted = search.value.trim().toLowerCase();
      let shown = 0;
      for (const row of rows) {
        const fields = texts.get(row);
        row.hidden = !(choices.every((choice) => !choice.value || fields[choice.dataset.column] === choice.value)
          && (!wanted || fields.join("\n").toLowerCase().includes(wanted)));
        shown += !row.hidden;
      }
      count.value = `${shown} / ${rows.length}`;
    }

    function sort() {
      const [column, direction] = order.value.split(" ");
      for (const [i, head] of heads.entries()) {
        if (order.value && i === +column) head.setAttribute("aria-sort", direction);
        else head.removeAttribute("aria-sort");
      }
      const sign = direction === "descending" ? -1 : 1, numeric = order.value && heads[column].classList.contains("number");
      const sorted = !order.value ? rows : [...rows].sort((one, other) => {
        const [a, b] = [texts.get(one)[column], texts.get(other)[column]];
        if (!numeric) return sign * inWords.compare(a, b);
        const [x, y] = [value(a), value(b)];
        return x === y ? 0 : sign * (x < y ? -1 : 1);
      });
      body.append(...sorted);
    }

    for (const [i, head] of heads.entries()) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = names[i];
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        order.value = `${i} ${head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending"}`;
        sort();
      });
      for (const [direction, sign] of [["ascending", "\u2191"], ["descending", "\u2193"]]) {
        order.add(new Option(`${names[i]} ${sign}`, `${i} ${direction}`));
      }
    }
    form.addEventListener("input", (event) => event.target === order ? sort() : filter());
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(() => { filter(); sort(); }));
    form.hidden = false;
    filter();
  }
}
