// The history: one row for each exchange, newest first, and the connections that carried them.
//
// Rows are placed with a transform, not by the flow of the page: when a new one comes, the others glide down, and the
// browser counts no layout shift. What would not fit on the screen at once is folded: style sheets, scripts and images
// that a page brings with it are one row.
import { button, checkbox, el, plural, timeText } from "./dom.js";
import { visible } from "./bytes.js";

const SLOTS = 6; // connections that are shown
const ASSETS = new Set(["style", "script", "image", "font", "manifest", "audio", "video"]);

const isAsset = ({ dest, target }) => ASSETS.has(dest) || target === "/favicon.ico";
const nameOf = (target) => target.split("?")[0].split("/").at(-1) || target;
// The class that colours a status.
export const classOf = (status) => (status ? `s${Math.floor(status / 100)}` : "");

// What a connection is doing, in words.
export function connectionText({ state, exchanges }, isBusy = false, hasCarried = exchanges > 0) {
  switch (state) {
    case "opened":
      if (isBusy) return "in use";
      return exchanges || hasCarried ? "kept alive" : "opened, silent";
    case "client-closed": return "client closed";
    case "server-closed": return "server closed";
    case "server-half-closed": return "server ended its side";
    case "client-reset": return "client reset it";
    case "server-reset": return "server reset it";
    default: return state;
  }
}

export class History {
  #rows = new Map(); // a row's key -> { item, shown }
  #slots = Array(SLOTS).fill(null);
  #open = new Set(); // folds that somebody has opened
  #held = null; // the exchanges that are shown while it is paused: newer ones push none of them out
  #isDrawn = true;
  #selected = null;

  constructor(feed, isWatch) {
    this.feed = feed;
    this.list = el("ol", { class: "rows", "aria-label": "Exchanges, newest first" });
    this.filter = el("input", { type: "search", placeholder: "Filter: POST 404 @7", "aria-label": "Filter exchanges by method, path, status, type or connection", input: () => this.draw() });
    this.pause = button("Pause", () => this.#togglePause(), { "aria-pressed": "false" });
    this.empty = el("p", { class: "empty" });
    this.connections = el("ol", { class: "connections", "aria-label": "Connections" });
    this.cells = this.#slots.map(() => el("button", { type: "button", disabled: true, "aria-pressed": "false" }));
    this.cells.forEach((cell, i) => {
      cell.addEventListener("click", () => {
        const word = `@${this.#slots[i]}`;
        this.filter.value = this.filter.value === word ? "" : word;
        this.draw();
      });
      this.connections.append(el("li", {}, cell));
    });
    this.element = el("section", { class: "history", "aria-label": "History" },
      el("div", { class: "tools" }, this.filter, this.pause, isWatch ? null : checkbox("the kitchen’s own", (own) => feed.showOwn(own))),
      el("div", { class: "window" }, this.list, this.empty),
      this.connections);
    this.list.addEventListener("keydown", (event) => this.#move(event));
    feed.addEventListener("change", () => this.#soon());
    feed.addEventListener("restart", () => {
      this.#held = this.#selected = null;
      this.#open.clear();
      this.pause.setAttribute("aria-pressed", "false");
      this.draw(); // at once: a row of the run before must not be clicked any more
    });
  }

  select(n) {
    this.#selected = n;
    this.draw();
  }

  // Draws at the next frame at most: 200 exchanges a second are one change of the page for each frame.
  #soon() {
    if (!this.#isDrawn) return;
    this.#isDrawn = false;
    setTimeout(() => requestAnimationFrame(() => {
      this.#isDrawn = true;
      this.draw();
    }), 60);
  }

  #togglePause() {
    this.#held = this.#held ? null : new Map(this.feed.exchanges);
    this.pause.setAttribute("aria-pressed", String(this.#held !== null));
    this.draw();
  }

  draw() {
    const { exchanges } = this.feed;
    const all = [...exchanges.values()].sort((a, b) => b.n - a.n); // events may come in another order
    const held = this.#held;
    const shown = held ? [...held.values()].reverse().map((exchange) => exchanges.get(exchange.n) ?? exchange) : all;
    const visible = shown.filter((exchange) => this.#matches(exchange));
    this.pause.textContent = held ? `Go on (${all.filter(({ n }) => !held.has(n)).length} new)` : "Pause";
    const rows = this.#fold(visible);
    const keys = new Set(rows.map(({ key }) => key));
    for (const [key, { item }] of this.#rows) {
      if (keys.has(key)) continue;
      item.remove();
      this.#rows.delete(key);
    }
    let before = null;
    rows.forEach((row, place) => {
      const known = this.#rows.get(row.key) ?? { item: el("li", {}) };
      const shown = JSON.stringify(row);
      if (known.shown !== shown) known.item.replaceChildren(this.#row(row));
      known.shown = shown;
      this.#rows.set(row.key, known);
      known.item.style.setProperty("--place", place);
      const next = before ? before.nextSibling : this.list.firstChild;
      if (next !== known.item) this.list.insertBefore(known.item, next);
      before = known.item;
      const link = known.item.firstChild;
      const isSelected = row.n === this.#selected;
      if (isSelected) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
      link.tabIndex = -1;
    });
    const stop = this.list.querySelector("[aria-current]") ?? this.list.querySelector("a, button");
    if (stop) stop.tabIndex = 0;
    this.list.style.setProperty("--count", rows.length);
    this.empty.hidden = rows.length > 0;
    this.empty.textContent = shown.length ? "No exchange is like that." : "Nothing has come through yet. Open a page, or tap a heart.";
    this.#drawConnections(all);
  }

  #matches({ method, target, status, type, connection }) {
    const text = `${method} ${target} ${status} ${type} @${connection} `.toLowerCase();
    return this.filter.value.toLowerCase().split(/\s+/).filter(Boolean)
      .every((word) => text.includes(word.startsWith("@") ? `${word} ` : word));
  }

  // Joins neighbouring assets into one row, unless it is open. The oldest of them names it, since new ones join.
  #fold(exchanges) {
    const rows = [];
    for (let i = 0; i < exchanges.length;) {
      let end = i;
      while (end < exchanges.length && isAsset(exchanges[end])) end++;
      if (end > i) {
        const assets = exchanges.slice(i, end);
        const key = `fold-${assets.at(-1).n}`;
        const isOpen = this.#open.has(key);
        rows.push({ key, isOpen, names: assets.map(({ target }) => nameOf(target)).reverse() });
        if (isOpen) rows.push(...assets.map((exchange) => ({ key: exchange.n, isIn: true, ...exchange })));
        i = end;
      } else {
        rows.push({ key: exchanges[i].n, ...exchanges[i] });
        i++;
      }
    }
    return rows;
  }

  #row(row) {
    if (row.names) {
      return el("button", { type: "button", class: "fold", "aria-expanded": String(row.isOpen), click: () => {
        if (!this.#open.delete(row.key)) this.#open.add(row.key);
        this.draw();
      } }, `${plural(row.names.length, "asset")} `, el("span", {}, row.names.join(", ")));
    }
    const { n, connection, method, target, status, took, state, fault, own, responseBytes } = row;
    return el("a", { href: `#exchange-${n}`, class: [row.isIn ? "in" : "", own ? "own" : ""].join(" ") },
      el("span", { class: "n" }, n),
      el("span", { class: "word method" }, method || "?"),
      visible(target || "?", { class: "word target" }),
      el("span", { class: `code ${classOf(status)}` }, fault ? el("span", { class: "fault-sign", title: "something is broken in it" }, "!") : null, status ?? (state === "open" ? "…" : responseBytes ? "?" : "–")),
      el("span", { class: "took" }, timeText(took)),
      el("span", { class: "by" }, `@${connection}`));
  }

  #move(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const stops = [...this.list.querySelectorAll("a, button")];
    const goal = stops[stops.indexOf(document.activeElement) + step];
    if (!goal) return;
    event.preventDefault();
    event.stopPropagation();
    for (const stop of stops) stop.tabIndex = -1;
    goal.tabIndex = 0;
    goal.focus();
  }

  // Each connection keeps its cell as long as it is among the last ones, those that are open first: texts change, and nothing moves.
  #drawConnections(exchanges) {
    const { connections } = this.feed;
    const carried = new Set(exchanges.map(({ connection }) => connection));
    const busy = new Set(exchanges.filter(({ state }) => state === "open").map(({ connection }) => connection));
    const isGone = (number) => Number(connections.get(number).gone ?? false);
    const newest = [...connections.keys()].sort((a, b) => isGone(a) - isGone(b) || b - a).slice(0, SLOTS);
    this.#slots = this.#slots.map((number) => (newest.includes(number) ? number : null));
    for (const number of newest.reverse()) {
      if (!this.#slots.includes(number)) this.#slots[this.#slots.indexOf(null)] = number;
    }
    this.cells.forEach((cell, i) => {
      const connection = connections.get(this.#slots[i]);
      cell.disabled = !connection;
      cell.className = connection ? connection.state : "none";
      cell.setAttribute("aria-pressed", String(connection != null && this.filter.value === `@${connection.connection}`));
      const number = connection ? `@${connection.connection} ` : "";
      const text = connection ? connectionText(connection, busy.has(connection.connection), carried.has(connection.connection)) : "–";
      if (cell.textContent === number + text) return;
      cell.replaceChildren(el("b", {}, number), text);
      cell.title = connection ? `connection ${number}from ${connection.peer}: ${text}` : "no connection";
    });
  }
}
