// One exchange in three panes: what the page did, the bytes that crossed, and what ran on the other side.
//
// The same colour means the same thing in all of them: the method in fetch(), in the request line and in the route
// table; the path in all three; the status in the handler's source and in the response.
import { ask, button, checkbox, copy, decode, el, isRoomy, save, timeText, toBytes } from "./dom.js";
import { Meaning, MessageView, visible } from "./bytes.js";
import { classOf, connectionText } from "./history.js";
import { Walk } from "./walk.js";

const escapeRegExp = (text) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");

// Source text with line numbers. `words` is a list of [text, colour].
export function source(code, words, firstLine = 1) {
  const known = new Map(words.filter(([text]) => text));
  const longestFirst = [...known.keys()].sort((a, b) => b.length - a.length).map(escapeRegExp);
  const pattern = new RegExp(["(?:^|(?<=\\s))\\/\\/.*", ...longestFirst].join("|"), "g");
  const pre = el("pre", { class: "source", tabindex: "0" });
  code.split("\n").forEach((line, number) => {
    const row = el("span", { class: "line", "data-number": firstLine + number });
    let at = 0;
    for (const match of line.matchAll(pattern)) {
      const kind = known.get(match[0]) ?? "comment";
      row.append(line.slice(at, match.index), el("span", { class: `word ${kind}` }, match[0]));
      at = match.index + match[0].length;
    }
    row.append(`${line.slice(at)}\n`);
    pre.append(row);
  });
  return pre;
}

// Calls of the page's own functions, which like.js tells about, and the exchanges that they caused.
export class Calls {
  #waiting = [];
  #joined = new Map();

  constructor(feed) {
    document.addEventListener("page:calls", ({ detail }) => this.#waiting.push({ ...detail, call: detail, until: Date.now() + 15_000 }));
    // A call and the exchange that it caused have the same method and target, and are in the same order.
    feed.addEventListener("exchange", ({ detail: { exchange, isNew } }) => {
      if (!isNew) return;
      this.#waiting = this.#waiting.filter(({ until }) => until > Date.now());
      const at = this.#waiting.findIndex(({ method, target }) => method === exchange.method && target === exchange.target);
      if (at < 0) return;
      const [{ call }] = this.#waiting.splice(at, 1);
      this.#joined.set(exchange.n, call);
      if (this.#joined.size > 100) this.#joined.delete(this.#joined.keys().next().value);
      this.onJoin?.(exchange.n);
    });
    feed.addEventListener("restart", () => {
      this.#waiting = [];
      this.#joined.clear();
    });
  }

  of(n) {
    return this.#joined.get(n) ?? null;
  }
}

// How the browser came to ask for this very page.
function howOpened() {
  if (performance.getEntriesByType("navigation")[0]?.type === "reload") return "You loaded this page again.";
  if (document.referrer.startsWith(location.origin)) return `You followed a link or sent a form on ${new URL(document.referrer).pathname}.`;
  return "You opened this very page, by its address, a bookmark or a link.";
}

export class ExchangeView {
  #detail = null;
  #unmask = false;
  #loading = 0;

  constructor({ feed, table, calls, isWatch }) {
    Object.assign(this, { feed, table, calls, isWatch });
    this.element = el("article", { class: "exchange", "aria-label": "The chosen exchange" });
    this.walk = new Walk(this);
    this.clear();
    document.addEventListener("page:shows", ({ detail }) => {
      if (this.#detail && calls.of(this.#detail.n) === detail) this.#drawResult();
    });
    feed.addEventListener("exchange", ({ detail: { exchange } }) => {
      if (exchange.n === this.#detail?.n && exchange.state === "over" && this.#detail.state !== "over") this.show(exchange.n, this.walk.step);
    });
    feed.addEventListener("restart", () => {
      this.#loading++;
      this.clear("The server was started again, and numbers its exchanges from 1 again. What stood here was of the run before.");
    });
  }

  get n() {
    return this.#detail?.n ?? null;
  }

  // The call of the page that caused this exchange, or null. Its content is in the request, or it was another's.
  get #call() {
    const call = this.calls.of(this.#detail.n);
    return call && this.#detail.request.bytes.endsWith(call.content) ? call : null;
  }

  get #reason() {
    return this.#detail.response?.bytes.match(/^HTTP\/[\d.]+ \d+ ([^\r\n]*)/)?.[1] ?? "";
  }

  clear(text = "Choose an exchange above, and it is taken apart here: its bytes, what each of them means, and what ran.") {
    this.#detail = null;
    this.element.replaceChildren(el("p", { class: "empty" }, text));
  }

  // Shows exchange `n`, at a step of its walk or as a whole.
  async show(n, step = null) {
    if (this.#detail?.n === n && this.#detail.state === "over") {
      this.walk.go(step);
      return;
    }
    const load = ++this.#loading;
    try {
      const answer = await ask(`/kitchen/exchange/${n}?run=${this.feed.hello.run}${this.#unmask ? "&unmask=1" : ""}`);
      if (load !== this.#loading) return;
      if (answer.status === 404) return this.clear(`Exchange ${n} is not kept any more: the kitchen keeps the last 100.`);
      if (!answer.ok) return this.clear(await answer.text());
      this.#detail = await answer.json();
    } catch {
      return this.clear("The kitchen cannot be reached. Is the server still running?");
    }
    this.#draw();
    this.walk.go(step);
    // It may have ended while its bytes were on their way here.
    if (this.#detail.state === "open" && this.feed.exchanges.get(n)?.state === "over") this.show(n, step);
  }

  #draw() {
    const { n, method, target, state, status, response, took, steps } = this.#detail;
    this.walk.load(this.#detail);
    this.meaning = new Meaning("Point at any byte, touch it, or go through them with the arrow keys. What it means stands here.");
    this.element.replaceChildren(
      el("header", {},
        el("h3", {},
          el("span", { class: "n" }, n), " ", el("span", { class: "word method" }, method || "?"), " ",
          visible(target ?? "?", { class: "word target clamp" }), " ",
          el("span", { class: "arrow", "aria-label": "was answered with" }, "→"), " ",
          el("span", { class: `code ${classOf(status)}` }, status ? `${status} ${this.#reason}` : state === "open" ? "no answer yet" : response?.bytes ? "a broken answer" : "no answer")),
        el("span", { class: "figures" }, timeText(took)),
        steps.length ? button("Step by step", () => this.walk.start(), { class: "primary" }) : null),
      this.walk.element,
      el("div", { class: "panes" }, this.isWatch ? null : this.#pagePane(), this.#slotPane(), this.isWatch ? this.#comparePane() : this.#kitchenPane()),
      this.#takeAlong());
    const match = this.element.querySelector(".match");
    if (match) match.parentElement.scrollTop = match.offsetTop - match.parentElement.clientHeight / 2;
  }

  #pane(name, title, subtitle, ...children) {
    return el("section", { class: `pane ${name}`, "aria-label": title }, el("h4", { class: "pane-title" }, title, el("small", {}, subtitle)), ...children);
  }

  // Words that are coloured in any source text of this exchange.
  #words() {
    const { method, target, status, handler } = this.#detail;
    const path = (target ?? "").split("?")[0];
    const constant = this.#reason && `Status::${this.#reason.toUpperCase().replace(/[ -]/g, "_")}`;
    return [
      [`"${method}"`, "method"],
      [`"${path}"`, "target"],
      [status && String(status), `status ${classOf(status)}`],
      [constant, `status ${classOf(status)}`],
      [handler && `fn ${handler.name.split("::").at(-1)}`, "handler"],
    ];
  }

  #pagePane() {
    const call = this.#call;
    const isThisPage = this.feed.document === this.#detail.n;
    this.result = el("div", { class: "result", "data-from": "10", "data-steps": "10" });
    const did = el("div", { "data-steps": "1" });
    if (call) {
      did.append(
        el("p", {}, "You tapped a heart, so the page called ", el("code", {}, `${call.name}(`, el("span", { class: "word content" }, call.content), ")"), "."),
        el("details", { open: isRoomy() }, el("summary", {}, "The function, in like.js"), source(call.source, this.#words())));
    } else {
      const [click] = this.#detail.steps;
      did.append(el("p", { class: "clamp" }, isThisPage ? `${howOpened()} No JavaScript ran for that. ` : "", visible(click?.text ?? "")));
    }
    this.#drawResult(isThisPage);
    return this.#pane("page", "The page", "frontend", did, this.result);
  }

  // What the page showed afterwards.
  #drawResult(isThisPage = false) {
    const call = this.#call;
    const shown = call?.shown
      ? ["The page put the answer where you see it: ", el("b", {}, call.shown.join(" → "))]
      : [isThisPage ? "The browser drew the page from these bytes. Then the scripts of the page ran." : "What became of the answer, only the client knows."];
    this.result.replaceChildren(el("p", {}, ...shown));
  }

  // The connection that carried it, and what became of that.
  #connection() {
    const { connection, ends } = this.#detail;
    const known = this.feed.connections.get(connection);
    const then = known ? connectionText(known, false, true) : ends.join(", ");
    return [
      "HTTP · ", el("span", { "data-steps": "2", title: `connection ${connection}` }, `@${connection}`),
      then ? el("span", { "data-from": "10", "data-steps": "10" }, `, ${then}`) : null,
    ];
  }

  #slotPane() {
    const { request, response } = this.#detail;
    const zero = request.reads[0]?.at ?? 0;
    this.request = new MessageView("Request", request, this.meaning, { from: [3, 7], zero });
    this.request.element.dataset.steps = "3 4 5 7";
    this.response = response?.bytes ? new MessageView("Response", response, this.meaning, { verb: this.isWatch ? "read" : "write", from: [9, 9], zero }) : null;
    if (this.response) Object.assign(this.response.element.dataset, { steps: "9", from: "9" });
    return this.#pane("slot", "The slot", this.#connection(),
      el("div", { class: "messages" }, this.request.element, this.response?.element ?? el("p", { class: "empty" }, this.#detail.state === "open" ? "There is no response yet." : "There was no response.")),
      this.meaning.element);
  }

  #kitchenPane() {
    const { row, handler, notes } = this.#detail;
    const rows = this.table.map((entry) => {
      const isMatch = entry.index === row?.index;
      return { isMatch, isQuiet: entry.quiet, item: el("li", { class: isMatch ? "match" : false, "data-from": isMatch ? "6" : false, "aria-current": isMatch ? "true" : false },
        el("code", {}, ...this.#rowWords(entry))) };
    });
    const loud = rows.filter(({ isQuiet, isMatch }) => !isQuiet || isMatch).map(({ item }) => item);
    const quiet = rows.filter(({ isQuiet, isMatch }) => isQuiet && !isMatch).map(({ item }) => item);
    const place = this.table[0]?.file;
    return this.#pane("kitchen-side", "The kitchen", "backend",
      el("div", { class: "block", "data-steps": "6" },
        el("h5", {}, "The route table", place ? el("small", {}, place.split("/").slice(-2).join("/")) : null),
        el("ol", { class: "table", tabindex: "0", "aria-label": "The route table" }, loud),
        row ? null : el("p", { class: "miss" }, visible(this.#detail.steps[5]?.text ?? "No row answers.")),
        quiet.length ? el("details", {}, el("summary", {}, `${quiet.length} quiet rows`), el("ol", { class: "table", tabindex: "0", "aria-label": "Quiet rows" }, quiet)) : null),
      handler ? el("div", { class: "block", "data-steps": "8", "data-from": "8" },
        el("h5", {}, "The function that ran", el("small", {}, `${handler.file.split("/").slice(-2).join("/")}:${handler.line}`)),
        source(handler.text, this.#words(), handler.line)) : null,
      handler || notes.length ? el("div", { class: "block", "data-steps": "8", "data-from": "8" },
        el("h5", {}, "What it stored"),
        notes.length ? el("ul", { class: "notes" }, notes.map((note) => el("li", {}, visible(note)))) : el("p", { class: "soft" }, "Nothing.")) : null);
  }

  #rowWords(entry) {
    const { text, path, handler } = entry;
    const at = text.indexOf(`"${path}"`);
    const by = text.indexOf(handler, at);
    const name = text.match(/^\w+/)?.[0] ?? "";
    if (at < 0 || by < 0) return [text];
    return [
      el("span", { class: "word method" }, name), text.slice(name.length, at),
      el("span", { class: "word target" }, `"${path}"`), text.slice(at + path.length + 2, by),
      el("span", { class: "word handler" }, handler), text.slice(by + handler.length),
    ];
  }

  #comparePane() {
    const place = el("div", {});
    const [detail, response] = [this.#detail, this.response];
    import("./compare.js").then(({ comparison }) => place.replaceChildren(comparison(detail, response)));
    return this.#pane("kitchen-side", "What was added", "by comparison", place);
  }

  #takeAlong() {
    const { n, transcript, curl, request, response } = this.#detail;
    const said = el("span", { role: "status", class: "soft" });
    const copies = (name, text) => button(name, async () => {
      await copy(text);
      said.textContent = `Copied: ${name.toLowerCase()}.`;
    }, { class: "small" });
    const saves = (name, file, content) => button(name, () => save(file, content, "application/octet-stream"), { class: "small" });
    const plain = (message) => decode(message.bytes) ?? message.bytes;
    const mask = checkbox("show secrets", async (unmask) => {
      this.#unmask = unmask;
      this.#detail = null;
      await this.show(n, this.walk.step);
    }, this.#unmask);
    return el("footer", { class: "along" },
      el("span", { class: "group" }, el("b", {}, "Copy"), copies("Transcript", transcript), copies("curl", curl), copies("Request bytes", plain(request)), response?.bytes ? copies("Response bytes", plain(response)) : null),
      el("span", { class: "group" }, el("b", {}, "Save"), saves("Transcript", `exchange-${n}.wire`, transcript), saves("Request", `exchange-${n}-request.bin`, toBytes(request.bytes)), response?.bytes ? saves("Response", `exchange-${n}-response.bin`, toBytes(response.bytes)) : null),
      mask, said);
  }
}
