"use strict";
(() => {
  const root = document.documentElement, all = (what, under = document) => [...under.querySelectorAll(what)];
  root.classList.add("script");
  // light or dark, as the reader's system says until the button is pressed
  const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  try { if (localStorage.theme) root.dataset.theme = localStorage.theme; } catch (refused) { /* the file may not keep anything */ }
  all("button.theme").forEach(button => button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try { localStorage.theme = root.dataset.theme; } catch (refused) { /* as above */ }
  }));
  // contents: open where there is room, and the heading in view
  const wide = matchMedia("(min-width: 1150px)"), folded = all(".contents > details");
  const fold = () => folded.forEach(one => { one.open = wide.matches; });
  wide.addEventListener("change", fold); fold();
  const links = new Map(all(".contents a").map(a => [a.hash.slice(1), a]));
  all(".contents a").forEach(a => a.addEventListener("click", () => { if (!wide.matches) folded.forEach(one => { one.open = false; }); }));
  if ("IntersectionObserver" in window) {
    const seen = new IntersectionObserver(entries => entries.filter(e => e.isIntersecting).forEach(e => {
      links.forEach(a => a.classList.remove("here"));
      const a = links.get(e.target.id);
      if (!a) return;
      a.classList.add("here");
      const box = a.closest(".contents");
      if (wide.matches && box) box.scrollTop += a.getBoundingClientRect().top < 0 || a.getBoundingClientRect().bottom > innerHeight ? a.getBoundingClientRect().top - innerHeight / 2 : 0;
    }), {rootMargin: "0px 0px -75% 0px"});
    all("h2[id], h3[id]").forEach(heading => seen.observe(heading));
  }
  // a telephone's rows
  document.addEventListener("click", event => {
    const row = event.target.closest("table.folds tbody tr");
    if (row && !event.target.closest("a, button, input")) row.classList.toggle("open");
  });
  // provenance
  all("input.find").forEach(input => input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean), box = document.getElementById(input.dataset.of);
    all("details", box).forEach(one => {
      let hits = 0;
      all("tr", one).forEach(row => {
        const hit = words.every(word => row.textContent.toLowerCase().includes(word));
        row.hidden = !hit; hits += hit;
      });
      one.hidden = !hits; if (words.length) one.open = hits > 0;
    });
  }));
  // files that the page holds
  const unpacked = async text => {
    const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  };
  const held = path => { const one = document.getElementById("file:" + path); return one && unpacked(one.textContent.trim()); };
  document.addEventListener("click", async event => {
    const link = event.target.closest("a[data-file]");
    const text = link && held(link.dataset.file);
    if (!text) return;
    event.preventDefault();
    const a = document.createElement("a"), kind = link.dataset.file.endsWith("svg") ? "image/svg+xml" : "text/csv";
    a.href = URL.createObjectURL(new Blob([await text], {type: kind}));
    a.download = link.dataset.file.split("/").pop();
    a.click();
    setTimeout(() => URL.revokeObjectURL(a.href), 10000);
  });
  const cells = text => { // RFC 4180
    const rows = [[""]]; let quoted = false;
    for (let i = 0; i < text.length; i++) {
      const c = text[i], row = rows[rows.length - 1];
      if (quoted) { if (c !== '"') row[row.length - 1] += c; else if (text[i + 1] === '"') { row[row.length - 1] += c; i++; } else quoted = false; }
      else if (c === '"') quoted = true; else if (c === ",") row.push(""); else if (c === "\n") rows.push([""]); else if (c !== "\r") row[row.length - 1] += c;
    }
    if (rows[rows.length - 1].join("") === "") rows.pop();
    return rows;
  };
  const SHOWN = 500;
  all("details.as-table").forEach(one => one.addEventListener("toggle", async () => {
    const box = one.querySelector("div"), path = one.dataset.file, whole = document.getElementById("file:" + path);
    const text = !box.dataset.done && held(whole ? path : path + "#head");
    if (!one.open || !text) return;
    box.dataset.done = "yes";
    const [head, ...rows] = cells(await text), table = document.createElement("table");
    const line = (of, tag, under) => { const tr = under.insertRow(); of.forEach(cell => { const td = document.createElement(tag); const n = Number(cell);
      td.textContent = tag === "td" && cell !== "" && Number.isFinite(n) && !Number.isInteger(n) ? n.toPrecision(5) : cell; if (cell !== "" && Number.isFinite(n)) td.className = "r"; tr.append(td); }); };
    line(head, "th", table.createTHead());
    const body = table.createTBody();
    rows.slice(0, SHOWN).forEach(row => line(row, "td", body));
    box.textContent = "";
    box.append(table);
    if (!whole || rows.length > SHOWN) { const more = document.createElement("p"); more.className = "quiet"; more.textContent = `The first ${SHOWN} rows; the CSV file holds all.`; box.append(more); }
  }));
})();
