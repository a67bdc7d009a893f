// Under a framework: which bytes of a response are what your function returned, and which were added around them?
// The kitchen does not guess. You say what the function returned, by typing it or by marking it in the response, and it
// shows the rest.
import { button, bytesText, el } from "./dom.js";

export function comparison({ response }, view) {
  if (!response?.bytes || !view) return el("p", { class: "soft" }, "There is no response to compare.");
  const answer = el("div", { class: "verdict", role: "status" });
  const area = el("textarea", { rows: "4", spellcheck: "false", "aria-label": "What your function returned", placeholder: "Hello from my function", input: () => mark(area.value) });

  const mark = (text) => {
    const { bytes } = response;
    const latin = [...new TextEncoder().encode(text)].map((byte) => String.fromCharCode(byte)).join("");
    const at = latin ? bytes.indexOf(latin, response.start ?? 0) : -1;
    if (!latin) {
      view.mark([]);
      answer.replaceChildren();
    } else if (at < 0) {
      view.mark([]);
      answer.replaceChildren(el("p", {}, "These bytes are not in the content of the response. It may be encoded otherwise: as JSON, in chunks, or compressed."));
    } else {
      const end = at + latin.length;
      view.mark([{ start: 0, end: at, name: "added" }, { start: at, end, name: "mine" }, { start: end, end: bytes.length, name: "added" }]);
      const added = bytes.length - latin.length;
      answer.replaceChildren(
        el("p", {}, el("b", { class: "mine" }, bytesText(latin.length)), " are yours. ", el("b", { class: "added" }, bytesText(added)), " were added around them."),
        scale(latin.length, added),
        el("ul", {}, fields(bytes, response.start).map((line) => el("li", {}, el("code", {}, line)))));
    }
  };

  // What somebody has marked with the mouse. The signs for CR and LF are no bytes, so they are left out.
  const fromSelection = () => {
    const selection = getSelection();
    if (!view.pre.contains(selection.anchorNode)) return;
    const piece = selection.getRangeAt(0).cloneContents();
    for (const sign of piece.querySelectorAll(".sign")) sign.remove();
    area.value = piece.textContent;
    mark(area.value);
  };

  return el("div", { class: "compare" },
    el("p", {}, "What did your function return? Type it here, or mark it in the response."),
    area,
    el("p", {}, button("Use what I marked", fromSelection, { class: "small" })),
    answer);
}

function scale(mine, added) {
  const bar = el("div", { class: "scale", "aria-hidden": "true" }, el("span", { class: "mine" }), el("span", { class: "added" }));
  bar.firstChild.style.flexGrow = mine;
  bar.lastChild.style.flexGrow = added;
  return bar;
}

// The lines of the head: all of them were added, by the framework or by the server below it.
function fields(bytes, start) {
  return bytes.slice(0, start ?? bytes.length).split("\r\n").filter(Boolean);
}
