// The lab: bytes that you type go to this server as they are, right or wrong, and the answer comes back piece by piece.
// While you type, the bytes are explained and not sent.
import { ask, button, bytesText, el, getJson, memory, plural, timeText, toBytes } from "./dom.js";
import { Meaning, MessageView, appendVisible, clauseLink, lines, visible } from "./bytes.js";
import { drawDraft, escapeOdd, readDraft, toTranscript } from "./draft.js";

const QUIET = 350; // milliseconds after the last key until what was typed is explained

// A way to the raw bytes for each group: what a client sends, and what it should never send.
const PRESETS = [
  ["Good manners", [
    ["get", "A plain GET", "GET / HTTP/1.1\nHost: {host}\n\n"],
    ["like", "A like", "POST /api/likes HTTP/1.1\nHost: {host}\nContent-Type: application/x-www-form-urlencoded\nContent-Length: 6\n\npost=1"],
    ["chunks", "A body in chunks", "POST /echo HTTP/1.1\nHost: {host}\nContent-Type: text/plain\nTransfer-Encoding: chunked\n\n5\nHello\na\n, kitchen!\n0\n\n"],
    ["head", "HEAD", "HEAD / HTTP/1.1\nHost: {host}\n\n"],
    ["two-in-one", "Two requests, one write", "GET /healthz HTTP/1.1\nHost: {host}\n\nGET /fields HTTP/1.1\nHost: {host}\n\n"],
    ["slowly", "In three writes", ">>>\nGET /fields HT\\\n--- wait 300ms\n>>>\nTP/1.1\nHo\\\n--- wait 300ms\n>>>\nst: {host}\n\n"],
    ["continue", "100-continue", ">>>\nPOST /echo HTTP/1.1\nHost: {host}\nContent-Length: 5\nExpect: 100-continue\n\n--- wait 200ms\n>>>\nhello"],
    ["old", "HTTP/1.0", "GET /healthz HTTP/1.0\n\n"],
  ]],
  ["Dangerous", [
    ["no-host", "No Host", "GET / HTTP/1.1\n\n"],
    ["two-hosts", "Two Hosts", "GET / HTTP/1.1\nHost: {host}\nHost: evil.example\n\n"],
    ["space", "A space before the colon", "GET / HTTP/1.1\nHost : {host}\n\n"],
    ["bare-lf", "A bare LF", "GET / HTTP/1.1\\n\nHost: {host}\n\n"],
    ["folded", "A folded line", "GET / HTTP/1.1\nHost: {host}\nX-Long: one\n  two\n\n"],
    ["two-lengths", "Two lengths", "POST /echo HTTP/1.1\nHost: {host}\nContent-Length: 5\nContent-Length: 6\n\nhello!"],
    ["smuggle", "A length and chunks", "POST /echo HTTP/1.1\nHost: {host}\nContent-Length: 6\nTransfer-Encoding: chunked\n\n0\n\nG"],
    ["bad-chunk", "A bad chunk size", "POST /echo HTTP/1.1\nHost: {host}\nTransfer-Encoding: chunked\n\nfive\nHello\n0\n\n"],
    ["nul", "A NUL in a field", "GET /fields HTTP/1.1\nHost: {host}\nX-Name: a\\0b\n\n"],
    ["script", "A script in a field", "GET /fields HTTP/1.1\nHost: {host}\nX-Name: <script>alert(1)</script>\n\n"],
    ["huge", "A head too large", "GET / HTTP/1.1\nHost: {host}\nX-Long: \\{17000 \"a\"}\n\n"],
    ["tls", "TLS on a plain port", "\\x16\\x03\\x01\\x02\\0\\x01\\0\\x01\\xfc\\x03\\x03"],
  ]],
];

// Sends a transcript's client side, and calls `onEvent` for each thing that happens, as it happens.
export async function send(transcript, onEvent) {
  const answer = await ask("/kitchen/lab", { method: "POST", headers: { "Content-Type": "text/plain; charset=utf-8" }, body: transcript });
  if (!answer.ok) throw new Error((await answer.text()).trim() || `The kitchen answered ${answer.status}.`);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (text + value).split("\n");
    text = lines.pop();
    for (const line of lines) if (line) onEvent(JSON.parse(line));
  }
}

// What comes back: first piece by piece, then both messages explained.
export class Answer {
  constructor() {
    this.pieces = el("ol", { class: "pieces" });
    this.said = el("p", { class: "said", role: "status" });
    this.explained = el("div", { class: "explained" });
    this.element = el("div", { class: "answer" }, this.said, this.pieces, this.explained);
    this.idle();
  }

  idle(text = "The answer comes here, piece by piece, with the time of each.") {
    this.pieces.replaceChildren();
    this.explained.replaceChildren();
    this.said.textContent = text;
    this.said.className = "said empty";
  }

  // Sends, and returns what is known at the end: { request, response, exchange }, or null after an error.
  async send(transcript) {
    this.idle("Sending …");
    this.said.className = "said";
    let result = null;
    try {
      await send(transcript, (event) => {
        if (event.kind === "done") result = event;
        else this.#piece(event);
      });
    } catch (error) {
      this.said.textContent = error.message;
      this.said.className = "said trouble";
      return null;
    }
    if (result) this.#explain(result);
    return result;
  }

  #piece({ at, kind, bytes, text, connection }) {
    if (kind === "received") this.said.textContent = "It answers. Waiting for more …";
    const by = connection > 1 ? ` @${connection}` : "";
    const what = bytes === undefined ? el("span", {}, text) : el("pre", { tabindex: "0" });
    if (bytes !== undefined) {
      appendVisible(what, bytes.slice(0, 2048));
      if (bytes.length > 2048) what.append(` … ${bytesText(bytes.length - 2048)} more`);
    }
    this.pieces.append(el("li", { class: kind },
      el("span", { class: "when" }, `+${timeText(at)}${by}`),
      el("span", { class: "what" }, bytes === undefined ? "" : `${kind === "sent" ? "→" : "←"} ${bytesText(bytes.length)}`),
      what));
  }

  // `others` are further connections of the same transcript.
  #explain({ others = [], ...first }) {
    const all = [first, ...others];
    const meaning = new Meaning("Point at any byte. What it means stands here.");
    const answers = all.map(({ response }) => response?.bytes.match(/^HTTP\/[\d.]+ (\d+ [^\r\n]*)/)?.[1] ?? (response?.bytes ? "no HTTP" : "nothing"));
    this.said.textContent = `The answer: ${answers.join(", then ")}.`;
    const pieces = el("ol", { class: "pieces" }, [...this.pieces.children]);
    const events = [...pieces.children].map((piece) => piece.className === "end" && piece.lastChild.textContent).filter(Boolean);
    const how = [`How it came: ${plural(pieces.children.length - events.length, "piece")}`, ...events].join(", ");
    this.pieces.replaceChildren(el("li", { class: "fold" }, el("details", {}, el("summary", {}, how), pieces)));
    const views = all.flatMap(({ request, response, exchange }, i) => [
      response?.bytes ? new MessageView(i ? `Response @${i + 1}` : "Response", response, meaning, { verb: "read" }).element : null,
      request?.bytes ? new MessageView(i ? `Request @${i + 1}` : "Request, as it was sent", request, meaning, { verb: "write" }).element : null,
      exchange ? el("p", {}, el("a", { href: `#exchange-${exchange}/step-1` }, "Walk this exchange in ten steps")) : null,
    ]);
    this.explained.replaceChildren(...views.filter(Boolean), meaning.element);
  }
}

export class Lab {
  #parts = [];
  #timer = null;
  #asked = 0;

  // `address` is the server that is shown; `watched` the one before which watch stands.
  constructor({ address, watched }) {
    this.host = watched ?? address;
    this.mirror = el("pre", { class: "mirror", "aria-hidden": "true" });
    this.area = el("textarea", {
      spellcheck: "false", autocapitalize: "off", autocomplete: "off", wrap: "off", rows: "7", "aria-label": "Raw bytes of a request", "aria-describedby": "lab-legend",
      input: () => this.#changed(), scroll: () => this.#follow(), keydown: (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.send(); },
    });
    this.figures = el("span", { class: "figures" });
    this.meaning = new Meaning("Type, and set the cursor into a word: what it means stands here.");
    this.refusal = el("div", { class: "refusal", hidden: true });
    this.answer = new Answer();
    this.sendButton = button("Send these bytes", () => this.send(), { class: "primary", title: "Ctrl+Enter" });
    this.presets = el("div", { class: "presets" }, PRESETS.map(([group, presets]) =>
      el("div", {}, el("b", {}, group), el("p", {}, presets.map(([name, title]) => el("a", { href: `#lab/${name}`, class: "chip" }, title))))));
    this.element = el("section", { class: "lab", "aria-label": "The lab" },
      el("header", {}, el("h3", {}, "The lab"), el("p", {}, "Raw bytes, right or wrong, go to ", el("code", {}, this.host), " as you type them, and nowhere else.")),
      this.presets,
      el("div", { class: "bench" },
        el("div", { class: "draft" },
          el("div", { class: "editor" }, this.mirror, this.area),
          el("div", { class: "tools" }, this.sendButton,
            button("+ write", () => this.#add(">>>\n")), button("+ wait", () => this.#add("--- wait 200ms\n>>>\n")), button("+ half-close", () => this.#add("--- client half-close\n")), this.figures),
          this.refusal,
          this.meaning.element,
          el("p", { class: "soft", id: "lab-legend" }, "Enter is CR LF. At a line’s end ", el("code", {}, "\\n"), " is LF alone and ", el("code", {}, "\\"), " is nothing; ", el("code", {}, "\\x00"), " is that byte.")),
        this.answer.element));
    document.addEventListener("selectionchange", () => {
      if (document.activeElement === this.area) this.#explainCursor();
    });
    this.area.value = memory.get("draft", null) ?? this.#preset("get");
    this.#changed();
  }

  // Opens a preset, or leaves what was typed.
  open(name) {
    for (const chip of this.presets.querySelectorAll(".chip")) {
      if (chip.hash === `#lab/${name}`) chip.setAttribute("aria-current", "true");
      else chip.removeAttribute("aria-current");
    }
    const draft = name && this.#preset(name);
    if (draft) this.write(draft);
  }

  write(draft) {
    this.area.value = draft;
    this.answer.idle();
    this.#changed();
  }

  #preset(name) {
    const found = PRESETS.flatMap(([, presets]) => presets).find(([known]) => known === name);
    return found?.[2].replaceAll("{host}", this.host);
  }

  // Adds a line of the transcript's after what was typed. What has no line end yet keeps none.
  #add(line) {
    let text = this.area.value;
    if (!/^(>>>|---)/m.test(text)) text = `>>>\n${text}`;
    if (!text.endsWith("\n")) text += "\\\n";
    this.area.value = text + line;
    this.area.focus();
    this.#changed();
  }

  async send() {
    if (this.sendButton.disabled) return;
    this.sendButton.disabled = true;
    const result = await this.answer.send(toTranscript(this.area.value));
    this.sendButton.disabled = false;
    if (result?.request?.bytes === this.draft.bytes) this.#show(result.request.parts);
  }

  #changed() {
    const { value, selectionStart } = this.area;
    const plain = escapeOdd(value);
    if (plain !== value) {
      const at = escapeOdd(value.slice(0, selectionStart)).length;
      this.area.value = plain;
      this.area.setSelectionRange(at, at);
    }
    memory.set("draft", this.area.value);
    this.draft = readDraft(this.area.value);
    const writes = Math.max(1, this.draft.rows.filter(({ kind, text }) => kind === "marker" && text.startsWith(">>>")).length);
    this.figures.textContent = `${bytesText(this.draft.bytes.length)} in ${plural(writes, "write")}`;
    this.#show([]);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#explain(), QUIET);
  }

  async #explain() {
    const asked = ++this.#asked;
    const { bytes } = this.draft;
    if (!bytes || document.hidden) return;
    try {
      const { parts } = await getJson("/kitchen/explain", { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: toBytes(bytes) });
      if (asked === this.#asked && bytes === this.draft.bytes) this.#show(parts);
    } catch { /* the bytes are shown without their meaning */ }
  }

  #show(parts) {
    this.#parts = parts;
    this.#drawMirror();
    this.#drawRefusal(parts.find(({ fault }) => fault));
    this.#explainCursor();
  }

  // The same text below the transparent text area, in colours and with its line ends.
  #drawMirror() {
    drawDraft(this.mirror, this.area.value, this.draft, this.#parts.filter(({ fault }) => fault));
    this.#follow();
  }

  #follow() {
    this.mirror.style.transform = `translate(${-this.area.scrollLeft}px, ${-this.area.scrollTop}px)`;
  }

  // The broken line with a caret under the byte, and the rule.
  #drawRefusal(part) {
    this.refusal.hidden = !part;
    if (!part) return;
    const { bytes } = this.draft;
    const from = bytes.lastIndexOf("\n", part.start - 1) + 1;
    const stop = bytes.indexOf("\n", part.start);
    const to = stop < 0 ? bytes.length : stop + 1;
    const end = Math.max(part.end, part.start + 1);
    const long = part.start - from > 60 ? part.start - 60 : from;
    // The picture of the broken line is drawn above it, from the bytes themselves.
    const [what, ...more] = part.text.replace("broken here, and ", "").split("\n");
    this.refusal.replaceChildren(
      el("p", { class: "line" }, visible(bytes.slice(long, part.start)), visible(bytes.slice(part.start, Math.min(end, to)), { class: "here" }), visible(bytes.slice(end, Math.min(to, end + 60)).replace(/\r?\n$/, ""))),
      el("p", {}, el("b", {}, "Broken here: "), what, " ", clauseLink(part.clause)),
      ...lines(more.slice(more.findIndex((line) => line.trim() === "^") + 1)),
      part.why ? el("p", { class: "why" }, part.why) : "");
  }

  // What the word means in which the cursor stands.
  #explainCursor() {
    const place = this.area.selectionStart;
    const { origin } = this.draft;
    const byte = origin.findLastIndex((from) => from <= place);
    const found = this.#parts.filter(({ start, end }) => start <= byte && byte < Math.max(end, start + 1))
      .sort((a, b) => (a.end - a.start) - (b.end - b.start));
    this.meaning.show(found);
  }
}
