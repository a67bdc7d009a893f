// A draft: bytes that somebody types. It is the client's side of a transcript (src/transcript), in which
//
//   a line ends in CR LF, as HTTP wants it, once Enter was pressed
//   \n at the end of a line: LF alone; \ at its end: nothing
//   \r \n \t \0 \\ \x00 are bytes
//   >>> begins a write of its own, and "--- wait 200ms" waits before it
//
// readDraft() gives the bytes and, for each of them, the place in the text that it comes from: so a refusal can point
// at what was typed.
import { el } from "./dom.js";
import { tokens } from "./bytes.js";

const ESCAPE = /\\(?:x([0-9a-fA-F]{2})|([rnt0\\])|\{(\d+) "((?:[^"\\]|\\.)*)"\})/y;
const SINGLE = { r: 13, n: 10, t: 9, 0: 0, "\\": 92 };
const MAX_BYTES = 64 * 1024;

const isMarker = (line) => /^(>>>|<<<|---|\?\?\?)/.test(line);

// Returns { rows, bytes, origin }. A row is { text, at, from, kind, end }: it stands at `at` in the text and at `from` in
// the bytes; `kind` is "bytes", "marker", "prose" or "none", `end` is "CR LF", "LF" or "". `bytes` has a character for each byte; `origin` an index into the text for each.
export function readDraft(text) {
  const lines = text.split("\n");
  let inBlock = !isMarker(lines.find((line) => line !== "" && !line.startsWith("#")) ?? "");
  const rows = [];
  let bytes = "";
  const origin = [];
  const put = (byte, from) => {
    if (origin.length >= MAX_BYTES) return;
    bytes += String.fromCharCode(byte);
    origin.push(from);
  };
  let at = 0;
  lines.forEach((line, number) => {
    const isLast = number === lines.length - 1;
    const row = { text: line, at, from: bytes.length, kind: "none", end: "" };
    rows.push(row);
    if (isMarker(line)) {
      row.kind = "marker";
      inBlock = line.startsWith(">>>");
    } else if (line.startsWith("#")) {
      row.kind = "prose";
    } else if (inBlock && !(isLast && line === "")) {
      row.kind = "bytes";
      const end = lineEnd(line);
      putText(line.slice(0, line.length - end.length), at, put);
      // A last line without Enter has no end yet.
      row.end = end === "\\n" ? "LF" : end === "\\" || isLast ? "" : "CR LF";
      const place = at + line.length - end.length;
      if (row.end === "CR LF") put(13, place);
      if (row.end) put(10, place);
    }
    at += line.length + 1;
  });
  return { rows, bytes, origin };
}

// What stands at the end of a line for another end than CR LF: "\n" or "\". Two backslashes are one byte.
function lineEnd(line) {
  const [, slashes, n] = line.match(/(\\*)(n?)$/);
  if (slashes.length % 2 === 0) return "";
  return `\\${n}`;
}

function putText(line, at, put) {
  const encoder = new TextEncoder();
  for (let i = 0; i < line.length;) {
    ESCAPE.lastIndex = i;
    const escape = ESCAPE.exec(line);
    if (escape) {
      const [whole, hex, single, count, inner] = escape;
      if (count) for (let n = 0; n < Math.min(count, MAX_BYTES); n++) putText(inner, at + i, (byte) => put(byte, at + i));
      else put(hex ? parseInt(hex, 16) : SINGLE[single], at + i);
      i += whole.length;
    } else {
      const character = String.fromCodePoint(line.codePointAt(i));
      for (const byte of encoder.encode(character)) put(byte, at + i);
      i += character.length;
    }
  }
}

// Where requests begin and end, as far as one can see without counting: each begins with a request line.
function messages(rows, bytes) {
  const starts = rows.filter(({ kind, text }) => kind === "bytes" && /^[A-Z]+ \S+ HTTP\/\d/.test(text)).map(({ from }) => from);
  const edges = [...new Set([0, ...starts, bytes.length])];
  return edges.slice(0, -1).map((edge, i) => [edge, edges[i + 1]]);
}

// Draws a draft in colours and with its line ends. `faults` are ranges of bytes that are broken.
export function drawDraft(parent, text, { rows, bytes, origin }, faults = []) {
  const inText = ({ kind, start, end }) => ({ kind, start: origin[start], end: (origin[Math.max(start, end - 1)] ?? origin[start]) + 1 });
  const words = messages(rows, bytes).flatMap(([from, to]) => {
    const head = bytes.slice(from, to).indexOf("\r\n\r\n");
    return tokens(bytes.slice(from, to), head < 0 ? null : head + 4).map(({ kind, start, end }) => ({ kind, start: from + start, end: from + end }));
  }).map(inText);
  const broken = faults.map(inText);
  parent.replaceChildren();
  for (const row of rows) {
    if (row === rows.at(-1) && row.text === "") break;
    const isBytes = row.kind === "bytes";
    const line = el("span", { class: isBytes ? "row" : `row ${row.kind}` });
    const stop = row.at + row.text.length;
    const edges = [...words, ...broken].flatMap(({ start, end }) => [start, end]).filter((edge) => edge > row.at && edge < stop);
    const sorted = [...new Set([row.at, ...edges, stop])].sort((a, b) => a - b);
    for (let i = 0; i + 1 < sorted.length; i++) {
      const [start, end] = [sorted[i], sorted[i + 1]];
      const kind = (isBytes && words.find((word) => word.start <= start && end <= word.end)?.kind) || "";
      const isBroken = broken.some((fault) => fault.start < end && start < fault.end);
      line.append(el("span", { class: `word ${kind}${isBroken ? " broken" : ""}` }, text.slice(start, end)));
    }
    for (const name of isBytes && row.end ? row.end.split(" ") : []) line.append(el("span", { class: "sign" }, name));
    // A fault at a line's end has no letter to stand on.
    if (isBytes && broken.some(({ start }) => start === stop)) line.lastChild?.classList.add("broken");
    parent.append(line, "\n");
  }
}

// The same draft with escapes for the characters that nobody sees, or that turn the direction of text (bidi).
export const escapeOdd = (text) => text.replace(/[^\P{Cc}\t\n]|[\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]/gu, (odd) =>
  [...new TextEncoder().encode(odd)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join(""));

// The draft as a transcript that the kitchen can parse: with a marker, and with what it wants escaped.
export function toTranscript(text) {
  const { rows } = readDraft(text);
  const first = rows.find(({ kind }) => kind === "marker" || kind === "bytes");
  const lines = rows.filter(({ kind }) => kind !== "none").map(({ text, kind, end }, number, all) => {
    if (kind !== "bytes") return text;
    const line = escapeOdd(text.replace(/ $/, "\\x20")).replaceAll("\t", "\\x09");
    return end === "" && number === all.length - 1 && lineEnd(text) === "" ? `${line}\\` : line;
  });
  return `${first?.kind === "marker" ? "" : ">>>\n"}${lines.join("\n")}\n`;
}

// What the client does in a transcript, as a draft. The answers that stand in it, and what is asserted of them, are left
// out. Where the client waits for an answer before it goes on, it waits a moment instead.
export function toDraft(transcript) {
  const items = [];
  for (const line of transcript.replace(/\n$/, "").split("\n")) {
    if (isMarker(line)) items.push([line.startsWith("<<<") ? "--- wait 200ms" : line]);
    else if (items.at(-1)?.[0].startsWith(">>>")) items.at(-1).push(line);
  }
  const isClient = ([marker] = [""]) => /^(>>>|--- (@\d+ )?(client|open))/.test(marker);
  const kept = items.slice(0, items.findLastIndex(isClient) + 1)
    .filter((item, i) => isClient(item) || (item[0].startsWith("--- wait") && isClient(items[i + 1])));
  // One write needs no marker.
  if (kept.length === 1) kept[0].shift();
  // Where the last line has no end, the draft has none either.
  return `${kept.flat().join("\n")}\n`.replace(/(?<!\\)\\\n$/, "");
}
