"use strict";

const NEXT = { none: "ascending", ascending: "descending", descending: "none" };

// A cell without a key sorts last in either direction.
function compare(column, sign) {
  return (a, b) => {
    const [x, y] = [a, b].map((row) => {
      const cell = row.cells[column];
      const key = cell.dataset.key;
      if (key === undefined) return cell.textContent.trim().toLowerCase();
      return key === "" ? null : Number(key);
    });
    if (x === null || y === null) return (x === null) - (y === null);
    return sign * (typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y)));
  };
}

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const declared = new Map([...table.tBodies].map((body) => [body, [...body.rows]]));
  const parents = new Map();
  for (const row of table.querySelectorAll("tr[data-under]")) {
    const above = row.previousElementSibling;
    parents.set(row, parents.get(above) ?? above);
  }
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const order = NEXT[head.getAttribute("aria-sort")];
      heads.forEach((other) => other.setAttribute("aria-sort", other === head ? order : "none"));
      for (const [body, rows] of declared) {
        const fixed = rows.filter((row) => "fixed" in row.dataset);
        const free = rows.filter((row) => !("fixed" in row.dataset || "under" in row.dataset));
        if (order !== "none") free.sort(compare(column, order === "ascending" ? 1 : -1));
        body.append(...fixed, ...free);
        // A row under another one follows it.
        for (const row of rows.filter((row) => "under" in row.dataset).reverse()) parents.get(row).after(row);
      }
    });
  });
}

// On a narrow page the legend would fill the first screen.
if (matchMedia("(max-width: 40rem)").matches) document.querySelector(".legend").open = false;

// Paper has nothing to unfold.
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  opened.forEach((details) => (details.open = true));
});
addEventListener("afterprint", () => opened.forEach((details) => (details.open = false)));
