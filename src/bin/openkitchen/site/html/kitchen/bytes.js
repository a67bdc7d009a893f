// A message as its bytes: each byte visible, each part joined with its meaning.
//
//   tokens()      colours: what a word is by its place (method, target, field name …)
//   parts         meanings: ranges of bytes, which the server explains; they may lie within one another
//   segments()    both together: the smallest ranges in which neither changes
//
// The same segments are shown as text and as hex. Wherever the pointer, a finger or the keyboard stands on a part, all
// segments of that part light up, and the Meaning beside them says what it is.
import { button, bytesText, decode, el, isRoomy, plural, timeText } from "./dom.js";

const SHOWN = 4096; // bytes of a long content that are shown before somebody asks for more
const FRAMING = /^(content-length|transfer-encoding)$/i;

// Splits a message into words. `start` is the offset at which the content begins; before it are one or more heads
// (an interim 100 Continue has one of its own).
export function tokens(bytes, start) {
  const found = [];
  const add = (kind, from, to) => { if (to > from) found.push({ kind, start: from, end: to }); };
  const end = start ?? bytes.length;
  let isFirst = true;
  for (let at = 0; at < end;) {
    const lf = bytes.indexOf("\n", at);
    const next = lf < 0 || lf >= end ? end : lf + 1;
    let stop = next;
    if (bytes[stop - 1] === "\n") stop -= bytes[stop - 2] === "\r" && stop - 2 >= at ? 2 : 1;
    const line = bytes.slice(at, stop);
    if (line === "") {
      isFirst = true;
    } else if (isFirst) {
      isFirst = false;
      const first = line.indexOf(" ");
      const isResponse = line.startsWith("HTTP/");
      const last = isResponse ? line.indexOf(" ", first + 1) : line.lastIndexOf(" ");
      const kinds = isResponse ? ["version", "status", "reason"] : ["method", "target", "version"];
      if (first < 0) {
        add(kinds[0], at, stop);
      } else {
        add(kinds[0], at, at + first);
        const cut = last > first ? at + last : stop;
        add(isResponse ? `status s${bytes[at + first + 1]}` : kinds[1], at + first + 1, cut);
        add(kinds[2], cut + 1, stop);
      }
    } else {
      const colon = line.indexOf(":");
      const cut = colon < 0 ? stop : at + colon;
      const framing = FRAMING.test(line.slice(0, colon)) ? " framing" : "";
      add(`name${framing}`, at, cut);
      add(`value${framing}`, cut + 1, stop);
    }
    add("end", stop, next);
    at = next;
  }
  add("content", end, bytes.length);
  return found;
}

// The words of all messages that lie in these bytes. Pipelined ones follow each other, and each has a head of its own. It
// begins with the version (a response), or after what was explained last of the message before (a request).
function allWords({ bytes, start, parts }) {
  const begins = new Set([0]);
  let end = 0;
  for (const part of parts) {
    if (part.about === "") end = Math.max(end, part.end);
    else if (/^HTTP\/\d/.test(part.about)) begins.add(bytes.startsWith("HTTP/") ? part.start : end);
  }
  if (begins.size === 1) return tokens(bytes, start);
  const edges = [...begins, bytes.length];
  return edges.slice(0, -1).flatMap((from, i) => {
    const message = bytes.slice(from, edges[i + 1]);
    const head = message.indexOf("\r\n\r\n");
    return tokens(message, head < 0 ? null : head + 4).map((word) => ({ ...word, start: from + word.start, end: from + word.end }));
  });
}

// The smallest ranges of the bytes in which neither the word nor the parts change. `cuts` are further offsets.
function segments(message, words, cuts) {
  const { bytes, parts } = message;
  const edges = new Set([0, bytes.length, ...cuts]);
  for (const { start, end } of [...words, ...parts]) edges.add(start).add(end);
  const sorted = [...edges].filter((edge) => edge >= 0 && edge <= bytes.length).sort((a, b) => a - b);
  const found = [];
  let word = 0;
  for (let i = 0; i + 1 < sorted.length; i++) {
    const [start, end] = [sorted[i], sorted[i + 1]];
    while (word < words.length && words[word].end <= start) word++;
    const kind = words[word]?.start <= start ? words[word].kind : "space";
    const own = [];
    parts.forEach((part, number) => { if (part.start <= start && end <= part.end) own.push(number); });
    // The innermost part is the one that is named here.
    own.sort((a, b) => (parts[a].end - parts[a].start) - (parts[b].end - parts[b].start));
    found.push({ start, end, kind, own });
  }
  return found;
}

// A part may be a place between two bytes, such as the end of a head. It gets the word that begins there.
function withWidth(part, words, length) {
  if (part.end > part.start) return part;
  const at = Math.min(part.start, Math.max(0, length - 1));
  const word = words.find(({ start, end }) => start <= at && at < end);
  return { ...part, start: word?.start ?? at, end: word?.end ?? Math.min(length, at + 1) };
}

// Controls, and characters that are invisible or turn the direction of text (bidi), never act here: they are named.
const ODD = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}]/u;
const NAMES = { 0: "NUL", 9: "TAB", 10: "LF", 13: "CR", 27: "ESC", 127: "DEL" };

const sign = (text) => el("span", { class: "sign" }, text);

// Appends bytes as text in which every byte can be seen.
export function appendVisible(parent, latin) {
  const text = decode(latin);
  let plain = "";
  const flush = () => {
    parent.append(plain);
    plain = "";
  };
  for (const character of text ?? latin) {
    const code = character.codePointAt(0);
    const isRaw = text === null && code >= 0x80;
    if (!isRaw && !ODD.test(character)) {
      plain += character;
      continue;
    }
    flush();
    const hex = code.toString(16).toUpperCase();
    parent.append(sign(NAMES[code] ?? (isRaw || code < 0x80 ? `x${hex.padStart(2, "0")}` : `U+${hex.padStart(4, "0")}`)));
    if (code === 10) plain = "\n";
  }
  flush();
}

// The bytes of a string that was written by the kitchen, as visible text in an element of its own.
export function visible(latin, attributes = {}) {
  const element = el("span", attributes);
  appendVisible(element, latin);
  return element;
}

// "RFC 9110 section 8.6" as a link to that section.
export function clauseLink(clause) {
  const [, rfc, section] = clause.match(/^RFC (\d+)(?: section ([\d.]+))?/) ?? [];
  if (!rfc) return clause ? el("span", { class: "clause" }, clause) : null;
  const href = `https://www.rfc-editor.org/rfc/rfc${rfc}${section ? `#section-${section}` : ""}`;
  return el("a", { class: "clause", href, target: "_blank", rel: "noreferrer" }, clause);
}

// Lines of an explanation. Those that begin with spaces are a picture: a line, a caret below it, the line as it should be.
export const lines = (texts) => texts.map((text) => el("p", text.startsWith("    ") ? { class: "picture", tabindex: "0" } : {}, text));

export function explanation(part) {
  const [first, ...more] = part.text.split("\n");
  return [
    el("p", { class: part.fault ? "fault" : false },
      part.about ? [visible(part.about, { class: "about" }), ": "] : null, first, " ", clauseLink(part.clause)),
    ...lines(more),
    part.why ? el("p", { class: "why" }, part.why) : null,
  ];
}

// The place where the meaning of the lit part stands. It has a size of its own, so nothing moves.
export class Meaning {
  constructor(hint) {
    this.hint = hint;
    this.element = el("div", { class: "meaning", id: `meaning-${Meaning.count++}`, tabindex: "0", role: "group", "aria-label": "What it means" });
    this.show([]);
  }

  show(parts) {
    this.element.replaceChildren(...(parts.length
      ? parts.flatMap(explanation).filter(Boolean)
      : [el("p", { class: "hint" }, this.hint)]));
    this.element.scrollTop = 0;
  }
}
Meaning.count = 0;

export class MessageView {
  #isHex = false;
  #isWhole = false;
  #marks = [];
  #pinned = null;

  // `title`: "Request"; `verb`: "read" or "write", which its pieces are; `from`: the steps of the walk at which its
  // head and its content are there; `zero`: the time from which its times are told.
  constructor(title, message, meaning, { verb = "read", from = [1, 1], zero = 0 } = {}) {
    const words = allWords(message);
    const parts = message.parts.map((part) => withWidth(part, words, message.bytes.length));
    Object.assign(this, { message: { ...message, parts }, words, meaning, from, zero });
    this.list = this.#list();
    this.pre = el("pre", { class: "bytes", role: "group", "aria-label": `${title}, part by part: use the arrow keys` });
    this.hexButton = button("Hex", () => this.toggleHex(), { class: "small", "aria-pressed": "false" });
    const { reads = [] } = message;
    const after = (reads[0]?.at ?? 0) - zero;
    const pieces = [reads.length > 1 ? plural(reads.length, verb) : "", after > 0 ? `+${timeText(after)}` : ""].filter(Boolean).join(" from ");
    this.element = el("section", { class: "message" },
      el("header", {},
        el("h4", {}, title),
        el("span", { class: "figures" }, [bytesText(message.total ?? message.bytes.length), pieces].filter(Boolean).join(", ")),
        parts.length ? this.#listButton() : null,
        this.hexButton),
      this.pre,
      this.list);
    this.#listen();
    this.#draw();
  }

  toggleHex() {
    this.#isHex = !this.#isHex;
    this.hexButton.setAttribute("aria-pressed", String(this.#isHex));
    this.#draw();
  }

  // Marks ranges of bytes with a class: [{ start, end, name }].
  mark(ranges) {
    this.#marks = ranges;
    this.#draw();
  }

  // Lights all segments of a part, here and in the list.
  light(number) {
    for (const lit of this.element.querySelectorAll(".lit")) lit.classList.remove("lit");
    if (number == null) return;
    const of = (element) => element.dataset.parts?.split(" ").includes(String(number));
    for (const element of this.element.querySelectorAll("[data-parts]")) element.classList.toggle("lit", of(element));
  }

  #draw() {
    const { bytes, reads = [] } = this.message;
    const cuts = [];
    let sum = 0;
    for (const read of reads.slice(0, -1)) cuts.push(sum += read.length);
    const limit = this.#isWhole ? bytes.length : Math.min(bytes.length, (this.message.start ?? 0) + SHOWN);
    const marks = this.#marks.flatMap(({ start, end }) => [start, end]);
    const all = segments(this.message, this.words, [...cuts, ...marks, this.message.start ?? 0, limit]);
    const shown = all.filter(({ end }) => end <= limit);
    for (const segment of shown) {
      segment.marks = this.#marks.filter(({ start, end }) => start <= segment.start && segment.end <= end).map(({ name }) => name);
    }
    this.pre.classList.toggle("hex", this.#isHex);
    this.pre.replaceChildren();
    if (this.#isHex) this.#drawHex(shown);
    else this.#drawText(shown, new Map(cuts.map((at, i) => [at, reads[i + 1]])));
    const first = this.pre.querySelector(".part");
    if (first) first.tabIndex = 0;
    const rest = (this.message.total ?? bytes.length) - limit;
    if (limit < bytes.length) {
      this.pre.append("\n", el("button", { type: "button", class: "small", click: () => {
        this.#isWhole = true;
        this.#draw();
      } }, `Show ${bytesText(bytes.length - limit)} more`));
    } else if (rest > 0) {
      this.pre.append("\n", el("span", { class: "cut" }, `${bytesText(rest)} more are not kept`));
    }
  }

  #drawText(shown, pieces) {
    const rooms = [el("span", { class: "head-bytes" }), el("span", { class: "content-bytes" })];
    rooms.forEach((room, i) => { room.dataset.from = this.from[i]; });
    this.pre.append(...rooms);
    let group = null;
    for (const segment of shown) {
      const isContent = this.message.start !== null && segment.start >= this.message.start;
      const room = rooms[Number(isContent)];
      const piece = pieces.get(segment.start);
      if (piece) room.append(el("span", { class: "cut" }, `+${timeText(piece.at - this.zero)}`));
      const key = segment.own.join(" ");
      if (!group || group.key !== key || group.room !== room || piece) {
        group = { key, room, element: key ? this.#part(segment) : room };
        if (key) room.append(group.element);
      }
      const word = el("span", { class: ["word", segment.kind, ...segment.marks].join(" ") });
      appendVisible(word, this.message.bytes.slice(segment.start, segment.end));
      group.element.append(word);
      // A part of spaces alone would have no name for a screen reader.
      if (key) group.element.ariaLabel = group.element.textContent.trim() ? null : "spaces";
    }
  }

  // A row is the offset, sixteen bytes in hex (or eight where there is no room), and their characters.
  #drawHex(shown) {
    const { bytes } = this.message;
    const width = this.pre.clientWidth < 600 ? 8 : 16;
    this.pre.style.setProperty("--octets", width);
    const length = shown.at(-1)?.end ?? 0;
    let at = 0;
    for (let row = 0; row < length; row += width) {
      const end = Math.min(row + width, length);
      const hex = el("span", { class: "octets" });
      const text = el("span", { class: "characters" });
      while (shown[at] && shown[at].end <= row) at++;
      for (let i = at; shown[i] && shown[i].start < end; i++) {
        const segment = shown[i];
        const piece = bytes.slice(Math.max(segment.start, row), Math.min(segment.end, end));
        for (const [parent, show] of [[hex, (c) => `${c.charCodeAt(0).toString(16).padStart(2, "0")} `], [text, (c) => (c >= " " && c <= "~" ? c : "·")]]) {
          const holder = segment.own.length ? this.#part(segment, parent === text) : el("span", {});
          holder.classList.add("word", ...segment.kind.split(" "), ...segment.marks);
          holder.append([...piece].map(show).join(""));
          parent.append(holder);
        }
      }
      this.pre.append(el("span", { class: "row" }, el("span", { class: "offset" }, row.toString(16).padStart(4, "0")), hex, text));
    }
  }

  #part(segment, isTwin = false) {
    const { parts } = this.message;
    const fault = segment.own.some((number) => parts[number].fault);
    const attributes = { class: fault ? "part broken" : "part", "data-parts": segment.own.join(" ") };
    // In a hex row the characters repeat the bytes: the keyboard stops once.
    if (!isTwin) Object.assign(attributes, { role: "button", tabindex: "-1", "aria-describedby": this.meaning.element.id });
    return el("span", attributes);
  }

  #list() {
    const items = this.message.parts.map((part, number) => el("li", { "data-parts": number }, explanation(part)));
    return el("ol", { class: "parts", hidden: !isRoomy() }, items);
  }

  #listButton() {
    const toggle = button("List", () => {
      this.list.hidden = !this.list.hidden;
      toggle.setAttribute("aria-pressed", String(!this.list.hidden));
    }, { class: "small", "aria-pressed": String(!this.list.hidden), title: "Each part explained, in a list" });
    return toggle;
  }

  #listen() {
    const { parts } = this.message;
    const numbers = (event) => event.target.closest?.("[data-parts]")?.dataset.parts.split(" ").map(Number) ?? null;
    const show = (found) => {
      this.light(found?.[0]);
      this.meaning.show(found ? found.map((number) => parts[number]) : []);
    };
    this.element.addEventListener("pointerover", (event) => {
      const found = numbers(event);
      if (found) show(found);
    });
    this.element.addEventListener("pointerleave", () => show(this.#pinned));
    this.element.addEventListener("click", (event) => {
      const found = numbers(event);
      if (found) show(this.#pinned = found);
    });
    this.element.addEventListener("focusin", (event) => {
      const found = event.target.matches(".part") && numbers(event);
      if (found) show(this.#pinned = found);
    });
    this.pre.addEventListener("keydown", (event) => {
      const all = [...this.pre.querySelectorAll(".part[role]")];
      const at = all.indexOf(event.target);
      if (at < 0) return;
      const goal = this.#goal(event.key, all, at);
      if (!goal) return;
      event.preventDefault();
      event.stopPropagation(); // the arrows belong to the bytes here, not to the steps
      event.target.tabIndex = -1;
      goal.tabIndex = 0;
      goal.focus();
    });
  }

  // Where a key leads: left and right to the next part, up and down to the part above and below.
  #goal(key, all, at) {
    const side = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (side) return all[at + side];
    if (key === "Home") return all[0];
    if (key === "End") return all.at(-1);
    const down = { ArrowDown: 1, ArrowUp: -1 }[key];
    if (!down) return null;
    const here = all[at].getBoundingClientRect();
    const rows = all.map((part) => part.getBoundingClientRect())
      .map((box, number) => ({ number, rows: Math.round((box.top - here.top) / 4) * down, side: Math.abs(box.left - here.left) }))
      .filter(({ rows }) => rows > 0);
    if (!rows.length) return null;
    const nearest = Math.min(...rows.map(({ rows }) => rows));
    return all[rows.filter(({ rows }) => rows === nearest).sort((a, b) => a.side - b.side)[0].number];
  }
}
