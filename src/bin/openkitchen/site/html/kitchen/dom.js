// Small tools that all modules of the kitchen share: elements, numbers, saving and copying.
// Bytes come from strangers, so text is only ever inserted as text; no module sets innerHTML.

// Creates an element: el("p", { class: "note" }, "text", otherElement). A function is a listener: { click: … }.
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child != null));
  return element;
}

export function button(text, click, attributes = {}) {
  return el("button", { type: "button", click, ...attributes }, text);
}

// A switch with its label: { input, label }.
export function checkbox(text, change, checked = false) {
  const input = el("input", { type: "checkbox", checked, change: () => change(input.checked) });
  return el("label", { class: "check" }, input, text);
}

export const bytesText = (count) => `${count.toLocaleString("en")} ${count === 1 ? "byte" : "bytes"}`;

// Milliseconds with as many digits as one can use: 0.04 ms, 1.2 ms, 312 ms, 2.1 s.
export function timeText(ms) {
  if (ms == null) return "";
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return `${ms >= 100 ? Math.round(ms) : ms >= 0.995 ? ms.toFixed(1) : Number(ms.toPrecision(2))} ms`;
}

export const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

// A string in which each character is one byte, as bytes.
export const toBytes = (latin) => Uint8Array.from(latin, (character) => character.charCodeAt(0));

// Decodes UTF-8. Returns null where the bytes are something else.
export function decode(latin) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(toBytes(latin));
  } catch {
    return null;
  }
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Browsers keep the clipboard from pages whose host is not loopback; this older way is still open to them.
    const area = el("textarea", { "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

export function save(name, content, type) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

// Fetches from the kitchen. Before somebody's own server, each request for data has the key of the page.
export const ask = (path, options = {}) => fetch(path, { cache: "no-store", ...options, headers: { ...options.headers, ...(key && { "Kitchen-Key": key }) } });

// Fetches JSON of the kitchen. An answer that is no 200 is a sentence for a person, and is thrown.
export async function getJson(path, options) {
  const answer = await ask(path, options);
  if (!answer.ok) throw new Error((await answer.text()).trim() || `The kitchen answered ${answer.status}.`);
  return answer.json();
}

// What the browser keeps for this page. A browser may forbid it; then the page forgets.
export const memory = {
  get(key, otherwise) {
    try {
      return JSON.parse(localStorage.getItem(`kitchen:${key}`)) ?? otherwise;
    } catch {
      return otherwise;
    }
  },
  set(key, value) {
    try {
      localStorage.setItem(`kitchen:${key}`, JSON.stringify(value));
    } catch { /* forgotten with the page */ }
  },
};

// The key of watch's page. It comes in the address, which the browser sends to no server, and leaves it at once: what
// the browser keeps for a page knows ports, and cookies do not.
export const isWatch = document.body.classList.contains("watch");
const given = isWatch && location.hash.match(/^#key=([0-9a-f]+)$/)?.[1];
if (given) {
  memory.set("key", given);
  history.replaceState(null, "", location.pathname);
}
export const key = isWatch ? given || memory.get("key", null) : null;

// Whether a key belongs to a field in which somebody writes.
export const isTyping = (event) => event.target.closest?.("input:not([type=checkbox], [type=radio]), textarea, select") != null;

// Whether the window is so wide that nothing has to be folded.
export const isRoomy = () => matchMedia("(min-width: 150rem)").matches;

export const isCalm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
