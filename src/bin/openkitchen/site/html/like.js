// The Like button without a reload. Without this file the form still works: the browser sends it, the kitchen answers
// 303, and the page is loaded again. With it, the API gets the same content, and only the number changes.
"use strict";

const pending = new WeakSet(); // forms whose order is on its way

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form.like")) return;
  event.preventDefault();
  if (pending.has(form)) return; // one order at a time; each counts
  pending.add(form);
  // A quick answer needs no sign that the page waits: it would only flicker.
  const wait = setTimeout(() => { form.ariaBusy = "true"; }, 300);
  try {
    const order = new URLSearchParams(new FormData(form));
    const call = tell("page:calls", {
      name: like.name, source: like.toString(), method: "POST", target: "/api/likes", content: String(order), shown: null,
    });
    const likes = await like(order);
    const count = form.querySelector(".count");
    const before = count.textContent;
    count.textContent = `${likes} ${likes === 1 ? "like" : "likes"}`;
    call.shown = [before, count.textContent];
    tell("page:shows", call);
    form.classList.remove("liked");
    void form.offsetWidth; // a new beat of the heart for each like
    form.classList.add("liked");
    forget(); // the kitchen works again, also for the posts that had trouble
  } catch (error) {
    const trouble = form.closest("article").querySelector(".trouble");
    trouble.textContent = "";
    void trouble.offsetWidth; // the same sentence again is a new alert
    trouble.textContent = error instanceof Trouble ? error.message : SENTENCES.odd;
    trouble.classList.toggle("passes", error.passes === true);
  }
  clearTimeout(wait);
  form.ariaBusy = "false";
  pending.delete(form);
});

// The kitchen beside this page shows which function ran, and joins it with the exchange that the function causes.
function tell(type, call) {
  document.dispatchEvent(new CustomEvent(type, { detail: call }));
  return call;
}

// `passes`: whether the trouble is over when the kitchen can be reached again.
class Trouble extends Error {
  constructor(sentence, passes = false) {
    super(sentence);
    this.passes = passes;
  }
}

const UNREACHABLE = new Set([502, 503, 504]);

// What stands on the page is a sentence of this page's, never the content of an error: it may come from a proxy in
// front, and be a page of HTML.
const SENTENCES = {
  403: "The kitchen takes no like from a page of another site. Open this page by the kitchen’s own address.",
  404: "The kitchen does not know this post. Load the page again.",
  refused: "The kitchen refused this like, so it was not stored. Load the page again.",
  500: "Something went wrong in the kitchen, so it is not known whether this like was stored.",
  502: "The kitchen cannot be reached: a proxy answers in its place. The like may not have been stored.",
  503: "The kitchen takes no orders just now. Try again in a moment.",
  504: "The kitchen has not answered the proxy in time, so it is not known whether this like was stored.",
  507: "The like was not stored: there is no room left on the disk.",
  late: "The kitchen has not answered for ten seconds, so it is not known whether this like was stored.",
  lost: "The kitchen cannot be reached. Is the server still running?",
  odd: "This page does not know such an answer, so it is not known whether this like was stored.",
};

// One request, one answer. The number is the kitchen's, not ours: others like this post, too.
async function like(order) {
  let answer;
  let content;
  try {
    answer = await fetch("/api/likes", {
      method: "POST",
      headers: { Accept: "application/json" },
      body: order,
      signal: AbortSignal.timeout(10_000),
    });
    content = await answer.text();
  } catch (error) {
    throw new Trouble(error.name === "TimeoutError" ? SENTENCES.late : SENTENCES.lost, true);
  }
  if (answer.status !== 201) {
    const other = answer.status >= 400 && answer.status < 500 ? SENTENCES.refused : SENTENCES.odd;
    throw new Trouble(`${SENTENCES[answer.status] ?? other} (${answer.status})`, UNREACHABLE.has(answer.status));
  }
  const { likes } = JSON.parse(content);
  if (!Number.isInteger(likes)) throw new Trouble(SENTENCES.odd);
  return likes;
}

// Takes the sentences about trouble from the page: all of them, or those that pass.
function forget(which = ".trouble") {
  for (const trouble of document.querySelectorAll(which)) trouble.textContent = "";
}

// Who comes back to the page, or to the network, sees trouble only if it is not over.
async function look() {
  if (!document.querySelector(".passes:not(:empty)")) return;
  try {
    const answer = await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(10_000) });
    if (answer.ok) forget(".passes");
  } catch { /* it is not over */ }
}
addEventListener("focus", look);
addEventListener("online", look);
addEventListener("pageshow", look);
