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
    if (!row || event.target.closest("a, button, input")) return;
    const heads = row.closest("table").tHead.rows[0].cells;
    [...row.cells].forEach((cell, i) => { cell.dataset.label ||= heads[i].textContent; });
    row.classList.toggle("open");
  });
  const unpacked = async text => {
    const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  };
  // provenance: its lines are written when somebody asks for them
  let records;
  const recorded = () => records ??= (async () => {
    const held = document.getElementById("held-records");
    if (!held) return;
    const lines = JSON.parse(await unpacked(held.textContent.trim()));
    all("#records details").forEach(one => lines[one.dataset.record].forEach(line => {
      const row = one.querySelector("tbody").insertRow();
      line.forEach(text => { row.insertCell().textContent = text; });
    }));
  })();
  all("#records details").forEach(one => one.addEventListener("toggle", recorded));
  all("input.find").forEach(input => input.addEventListener("input", async () => {
    await recorded();
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
  // drawings, sharp at any size, in place of the still images when they come into view
  if ("DecompressionStream" in window && "IntersectionObserver" in window) {
    const drawing = new IntersectionObserver(entries => entries.filter(e => e.isIntersecting).forEach(async e => {
      drawing.unobserve(e.target);
      const text = await held(e.target.dataset.svg);
      if (text) e.target.src = URL.createObjectURL(new Blob([text], {type: "image/svg+xml"}));
    }), {rootMargin: "600px"});
    all("img[data-svg]").forEach(image => drawing.observe(image));
  }
  const packedLibrary = name => document.getElementById("library:" + name);
  const asUrl = text => URL.createObjectURL(new Blob([text], {type: "text/javascript"}));
  // tables: a click on a heading sorts, with DataTables
  let tables;
  const sorting = () => tables ??= unpacked(packedLibrary("tables").textContent.trim()).then(text => import(asUrl(text)));
  const sorter = async table => {
    if (table.sorter) return table.sorter;
    const {jQuery} = await sorting();
    const numeric = all("thead th", table).map((th, i) => th.classList.contains("r") ? i : -1).filter(i => i >= 0);
    return table.sorter = jQuery(table).DataTable({paging: false, info: false, order: [], autoWidth: false, layout: {topStart: null, topEnd: null, bottomStart: null, bottomEnd: null},
      columnDefs: [{targets: numeric, orderSequence: ["desc", "asc"]}]});
  };
  if (packedLibrary("tables") && "DecompressionStream" in window) {
    root.classList.add("sorts");
    document.addEventListener("click", async event => {
      const th = event.target.closest("main thead th"), table = th && th.closest("table");
      if (!table || table.sorter || table.tBodies[0].rows.length < 2 || table.closest(".as-table")) return;
      const at = th.cellIndex, one = await sorter(table);
      one.order([at, th.dataset.first || (th.classList.contains("r") ? "desc" : "asc")]).draw();
    });
  }
  // charts that answer the pointer, drawn when they come into view
  let drawing;
  const embedding = () => drawing ??= unpacked(packedLibrary("charts").textContent.trim()).then(text => new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = asUrl(text); script.onload = () => done(window.vegaEmbed); script.onerror = failed;
    document.head.append(script);
  }));
  const upright = (view, width) => { // parts one below another, none wider than a telephone
    if (view.hconcat) { view.vconcat = view.hconcat; delete view.hconcat; }
    if (view.width > width) view.width = width;
    Object.values(view.encoding || {}).forEach(channel => { if (channel.legend) channel.legend.orient = "bottom"; });
    [...(view.vconcat || []), ...(view.layer || [])].forEach(part => upright(part, width));
  };
  if (packedLibrary("charts") && "DecompressionStream" in window && "IntersectionObserver" in window) {
    const seen = new IntersectionObserver(entries => entries.filter(e => e.isIntersecting).forEach(async e => {
      seen.unobserve(e.target);
      const box = e.target.querySelector(".chart"), spec = JSON.parse(await unpacked(document.getElementById("chart:" + box.dataset.chart).textContent.trim()));
      if (box.parentElement.clientWidth < 900) upright(spec, box.parentElement.clientWidth - 150);
      const embed = await embedding();
      await embed(box, spec, {mode: "vega-lite", renderer: "canvas", logLevel: 0, actions: {export: true, source: false, compiled: false, editor: false}, downloadFileName: box.dataset.chart});
      box.classList.add("drawn");
    }), {rootMargin: "300px"});
    all("figure:has(.chart)").forEach(figure => seen.observe(figure));
  }
  // the leaderboard's choices; a choice that leaves nothing lets go of the others
  all(".choices").forEach(box => {
    const rows = all("tbody tr", document.getElementById(box.dataset.of)), selects = all("select", box), count = box.querySelector(".count");
    const fits = row => selects.every(select => !select.value || row.dataset[select.dataset.column] === select.value);
    const show = changed => {
      if (changed && !rows.some(fits)) selects.forEach(select => { if (select !== changed) select.value = ""; });
      rows.forEach(row => { row.hidden = !fits(row); });
      const shown = rows.filter(row => !row.hidden), same = name => new Set(shown.map(row => row.dataset[name])).size < 2;
      document.getElementById(box.dataset.of).classList.toggle("one-truth", ["benchmark", "truth", "subset"].every(same));
      const about = shown.length ? ["benchmark", "truth", "subset"].filter(same).map(name => shown[0].dataset[name]).join("; ") : "";
      count.textContent = `${shown.length} of ${rows.length} entries${about ? ": " + about : ""}`;
    };
    selects.forEach(select => select.addEventListener("change", () => show(select)));
    show();
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
  const SHOWN = 200;
  all("details.as-table").forEach(one => one.addEventListener("toggle", async () => {
    const box = one.querySelector("div"), path = one.dataset.file, whole = document.getElementById("file:" + path);
    const text = !box.dataset.done && held(whole ? path : path + "#head");
    if (!one.open || !text) return;
    box.dataset.done = "yes";
    const [whole_head, ...whole_rows] = cells(await text), table = document.createElement("table");
    const same = whole_head.map((_, i) => whole_rows.length > 1 && whole_rows.every(row => row[i] === whole_rows[0][i]));
    const differ = row => row.filter((_, i) => !same[i]), head = differ(whole_head), rows = whole_rows.map(differ);
    const said = whole_head.map((name, i) => same[i] && whole_rows[0][i] !== "" ? `${name}: ${whole_rows[0][i]}` : "").filter(Boolean);
    const line = (of, tag, under) => { const tr = under.insertRow(); of.forEach(cell => { const td = document.createElement(tag); const n = Number(cell);
      td.textContent = tag === "td" && cell !== "" && Number.isFinite(n) && !Number.isInteger(n) ? n.toPrecision(5) : cell; if (cell !== "" && Number.isFinite(n)) td.className = "r"; tr.append(td); }); };
    line(head, "th", table.createTHead());
    const body = table.createTBody();
    rows.slice(0, SHOWN).forEach(row => line(row, "td", body));
    box.textContent = "";
    if (said.length) { const about = document.createElement("p"); about.className = "quiet"; about.textContent = `In these rows ${said.join("; ")}.`; box.append(about); }
    box.append(table);
    if (!whole || rows.length > SHOWN) { const more = document.createElement("p"); more.className = "quiet"; more.textContent = `The first ${SHOWN} rows; the CSV file holds all.`; box.append(more); }
  }));
})();
