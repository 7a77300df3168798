// Pointing at a mark of a figure, or walking to it with the arrow keys, says what it is. All text is
// set as text, never as markup.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const tip = byId("tip"), said = byId("said"), sheet = byId("sheet");
  const canvas = tip.querySelector("canvas");
  const [first, second] = tip.querySelectorAll("p");
  const source = byId("points");
  const points = source ? JSON.parse(source.textContent) : null;
  const REACH = 14; // how far from a dot, in units of the drawing, it is still meant
  let shown = null;

  const marksOf = (svg) => {
    if (svg.dataset.map) {
      const at = points.places[svg.dataset.map];
      return points.names.map((_, i) => ({ x: at[2 * i], y: at[2 * i + 1], point: i }));
    }
    return [...svg.querySelectorAll("[data-tip]")].map((node) => {
      const box = node.getBBox();
      return { x: box.x + box.width / 2, y: box.y + box.height / 2, node };
    });
  };

  const drawTile = (i) => {
    const tile = points.tiles[i];
    canvas.hidden = tile < 0 || !sheet;
    if (canvas.hidden) return;
    const side = points.tile, across = points.across;
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.clearRect(0, 0, side, side);
    const left = (tile % across) * side, top = Math.floor(tile / across) * side;
    context.drawImage(sheet, left, top, side, side, 0, 0, side, side);
  };

  const hide = () => {
    tip.hidden = true;
    shown?.node?.classList.remove("here");
    document.querySelectorAll(".ring").forEach((ring) => ring.setAttribute("visibility", "hidden"));
    shown = null;
  };

  const ring = (i) => {
    for (const svg of document.querySelectorAll("svg.map")) {
      const at = points.places[svg.dataset.map], circle = svg.querySelector(".ring");
      circle.setAttribute("cx", at[2 * i]);
      circle.setAttribute("cy", at[2 * i + 1]);
      circle.setAttribute("visibility", "visible");
    }
  };

  const show = (svg, mark, aloud) => {
    hide();
    shown = mark;
    canvas.hidden = true;
    second.textContent = "";
    if (mark.node) {
      mark.node.classList.add("here");
      first.textContent = mark.node.dataset.tip;
    } else {
      const i = mark.point;
      ring(i);
      drawTile(i);
      first.textContent = points.texts[i] || points.said[i];
      second.textContent = points.texts[i] ? points.said[i] : points.names[i];
    }
    if (aloud) said.textContent = [first.textContent, second.textContent].filter(Boolean).join("; ");
    tip.hidden = false;
    place(svg, mark);
  };

  const place = (svg, mark) => {
    const matrix = svg.getScreenCTM();
    const x = mark.x * matrix.a + matrix.e, y = mark.y * matrix.d + matrix.f;
    const width = tip.offsetWidth, height = tip.offsetHeight, view = document.documentElement;
    const left = x + 14 + width < view.clientWidth ? x + 14 : x - 14 - width;
    const top = y + 14 + height < view.clientHeight ? y + 14 : y - 14 - height;
    tip.style.left = `${Math.max(4, left) + scrollX}px`;
    tip.style.top = `${Math.max(4, top) + scrollY}px`;
  };

  const nearest = (marks, x, y) => {
    let best = null, least = REACH * REACH;
    for (const mark of marks) {
      const far = (mark.x - x) ** 2 + (mark.y - y) ** 2;
      if (far < least) [best, least] = [mark, far];
    }
    return best;
  };

  const towards = (marks, from, dx, dy) => {
    let best = null, least = Infinity;
    for (const mark of marks) {
      const along = (mark.x - from.x) * dx + (mark.y - from.y) * dy;
      const aside = Math.abs((mark.x - from.x) * dy) + Math.abs((mark.y - from.y) * dx);
      if (along <= 0.01 || mark === from) continue;
      const cost = along + 2.5 * aside;
      if (cost < least) [best, least] = [mark, cost];
    }
    return best;
  };

  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  for (const svg of document.querySelectorAll("svg.drawing")) {
    if (!svg.dataset.map && !svg.querySelector("[data-tip]")) continue;
    let marks = null, here = null;
    const all = () => (marks ??= marksOf(svg));
    svg.setAttribute("tabindex", "0");
    svg.setAttribute("role", "group");
    svg.setAttribute("aria-roledescription", "figure, walked with the arrow keys");
    svg.addEventListener("pointermove", (event) => {
      const node = event.target.closest?.("[data-tip]");
      if (node) return void show(svg, all().find((mark) => mark.node === node));
      const matrix = svg.getScreenCTM();
      const x = (event.clientX - matrix.e) / matrix.a, y = (event.clientY - matrix.f) / matrix.d;
      const found = nearest(all(), x, y);
      if (found) show(svg, found);
      else hide();
    });
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("blur", hide);
    svg.addEventListener("keydown", (event) => {
      if (event.key === "Escape") return hide();
      const arrow = ARROWS[event.key];
      const end = { Home: 0, End: all().length - 1 }[event.key];
      if (!arrow && end === undefined) return;
      event.preventDefault();
      here = end !== undefined || !here ? all()[end ?? 0] : (towards(all(), here, ...arrow) ?? here);
      if (here) show(svg, here, true);
    });
  }

  const keys = [...document.querySelectorAll("[data-key]")];
  for (const key of keys) {
    key.addEventListener("click", () => {
      const pressed = key.getAttribute("aria-pressed") !== "true";
      keys.forEach((other) => other.setAttribute("aria-pressed", String(other === key && pressed)));
      for (const group of document.querySelectorAll("g[data-group]")) {
        group.classList.toggle("away", pressed && group.dataset.group !== key.dataset.key);
      }
    });
  }
})();
