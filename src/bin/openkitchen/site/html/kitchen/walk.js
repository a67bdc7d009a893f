// The walk: one exchange in the ten steps of src/lib.rs, forward and back.
//
// The steps lie as the bytes go: from the page through the slot into the kitchen, and back. At each step the panes show
// what is there by then and nothing of what comes later, so you see the response only once it is written.
import { button, el, isCalm, isTyping, timeText } from "./dom.js";

const COUNT = 10;
const PACE = 3000; // milliseconds that a step is shown when the walk goes by itself

export class Walk {
  step = null; // 1 to 10, or null while the exchange is shown as a whole
  #steps = [];
  #timer = null;

  constructor(view) {
    this.view = view;
    this.stops = Array.from({ length: COUNT }, (_, i) => el("button", { type: "button", click: () => this.#to(i + 1) },
      el("b", {}, i + 1), el("span", {}), el("small", {})));
    this.token = el("span", { class: "token", hidden: true, "aria-hidden": "true" });
    this.bar = el("div", { class: "bar", role: "img" });
    this.title = el("h4", {});
    this.text = el("p", { class: "clamp" });
    this.back = button("← Back", () => this.#to(this.step - 1));
    this.next = button("Next →", () => this.#to(this.step + 1), { class: "primary" });
    this.slowly = button("Slowly", () => this.#play(), { "aria-pressed": "false" });
    this.whole = el("ol", { class: "all", hidden: true });
    this.atOnce = button("At once", () => this.#showAll(), { "aria-pressed": "false" });
    this.said = el("div", { class: "said", "aria-live": "polite", hidden: true }, this.title, this.text);
    this.tools = el("div", { class: "tools", hidden: true }, this.back, this.next, this.slowly, this.atOnce, button("Leave", () => this.#to(null)));
    this.element = el("section", { class: "walk", "aria-label": "The ten steps of this exchange" },
      el("div", { class: "ways" },
        el("span", { class: "room page", "aria-hidden": "true" }, "page"),
        el("span", { class: "room slot", "aria-hidden": "true" }, "slot"),
        el("span", { class: "room kitchen-side", "aria-hidden": "true" }, "kitchen"),
        el("ol", { class: "stops" }, this.stops.map((stop) => el("li", {}, stop))),
        this.token,
        this.said),
      this.bar,
      this.tools,
      this.whole);
    document.addEventListener("keydown", (event) => {
      if (this.step === null || isTyping(event) || event.altKey || event.ctrlKey || event.metaKey || !this.element.offsetParent) return;
      if (event.key === "ArrowRight") this.#to(Math.min(COUNT, this.step + 1));
      else if (event.key === "ArrowLeft") this.#to(Math.max(1, this.step - 1));
      else if (event.key === "Escape") this.#to(null);
      else return;
      event.preventDefault();
    });
    new ResizeObserver(() => this.#placeToken()).observe(this.element);
  }

  // Takes the steps of an exchange.
  load({ steps }) {
    this.#steps = steps;
    this.element.hidden = steps.length === 0;
    this.stops.forEach((stop, i) => {
      stop.children[1].textContent = steps[i]?.title ?? "";
    });
    this.whole.replaceChildren(...steps.map(({ title, text }) => el("li", {}, el("b", {}, title), ` ${text}`)));
    this.#drawBar();
  }

  start() {
    this.#to(1);
    this.next.focus({ preventScroll: true });
  }

  // Shows a step; null shows the exchange as a whole.
  go(step) {
    this.step = this.#steps.length ? step : null;
    const { element } = this.view;
    for (const part of element.querySelectorAll("[data-from]")) {
      part.classList.toggle("later", this.step !== null && Number(part.dataset.from) > this.step);
    }
    for (const part of element.querySelectorAll("[data-steps]")) {
      part.classList.toggle("on", this.step !== null && part.dataset.steps.split(" ").includes(String(this.step)));
    }
    element.dataset.step = this.step ?? "";
    this.said.hidden = this.tools.hidden = this.step === null;
    if (this.step === null) this.whole.hidden = true;
    this.element.classList.toggle("walking", this.step !== null);
    this.stops.forEach((stop, i) => {
      if (i + 1 === this.step) stop.setAttribute("aria-current", "step");
      else stop.removeAttribute("aria-current");
      stop.classList.toggle("past", this.step !== null && i + 1 < this.step);
    });
    this.#placeToken();
    if (this.step === null) return this.#stop();
    this.title.textContent = `${this.step}. ${this.#steps[this.step - 1].title}`;
    this.text.textContent = this.#steps[this.step - 1].text;
    this.back.disabled = this.step === 1;
    this.next.disabled = this.step === COUNT;
    if (this.step === COUNT) this.#stop();
    this.#lookAt(element);
  }

  // Scrolls to what the step is about: in the window, which the walk covers in part, and in the bytes themselves.
  #lookAt(element) {
    const lit = element.querySelector(".on");
    if (!lit) return;
    const bytes = lit.querySelector(".bytes");
    const spot = bytes?.querySelector({ 5: ".framing", 7: ".content-bytes" }[this.step] ?? ".head-bytes");
    if (spot) bytes.scrollTop = spot.offsetTop - bytes.clientHeight / 2;
    // Not scrollIntoView(): it would scroll the dining room, too.
    const views = this.element.closest(".views");
    const isOwn = getComputedStyle(views).overflowY === "auto";
    const box = lit.getBoundingClientRect();
    const top = (isOwn ? views.getBoundingClientRect().top : 0) + this.element.offsetHeight + 16;
    const bottom = innerHeight - 130; // above the meaning
    const by = box.top < top ? box.top - top : Math.max(0, Math.min(box.bottom - bottom, box.top - top));
    (isOwn ? views : document.scrollingElement).scrollBy({ top: by, behavior: isCalm() ? "auto" : "smooth" });
  }

  #to(step) {
    const hash = `#exchange-${this.view.n}${step === null ? "" : `/step-${step}`}`;
    history.replaceState(null, "", hash); // a step is no page of its own: Back leads out of the walk
    this.go(step);
    dispatchEvent(new Event("walk"));
  }

  #play() {
    if (this.#timer) return this.#stop();
    if (this.step === COUNT) this.#to(1);
    this.#timer = setInterval(() => this.#to(this.step + 1), PACE);
    this.slowly.setAttribute("aria-pressed", "true");
  }

  #stop() {
    clearInterval(this.#timer);
    this.#timer = null;
    this.slowly.setAttribute("aria-pressed", "false");
  }

  // All ten sentences at once, or one.
  #showAll() {
    const all = this.whole.hidden;
    this.whole.hidden = !all;
    this.atOnce.setAttribute("aria-pressed", String(all));
    if (all) this.#to(COUNT);
  }

  #placeToken() {
    this.token.hidden = this.step === null;
    if (this.step === null) return;
    const stop = this.stops[this.step - 1].firstChild;
    const [box, frame] = [stop.getBoundingClientRect(), this.token.parentElement.getBoundingClientRect()];
    this.token.style.transform = `translate(${box.left - frame.left + box.width / 2}px, ${box.top - frame.top + box.height / 2}px)`;
  }

  // The time line: each step as wide as it is long. A step lasts as long as it took, where that is known, and else
  // until the next one; what lies between belongs to the next.
  #drawBar() {
    const timed = this.#steps.filter(({ step, at }) => step >= 3 && at != null).sort((a, b) => a.at - b.at);
    const pieces = [];
    timed.forEach((step, i) => {
      const next = timed[i + 1] ?? step;
      const end = step.took ? step.at + step.took : next.at;
      pieces.push({ ...step, end }, { ...next, at: end, end: Math.max(end, next.at) });
    });
    const begin = timed[0]?.at ?? 0;
    const total = Math.max(0, ...pieces.map(({ end }) => end - begin));
    this.bar.hidden = total === 0;
    this.stops.forEach((stop, i) => {
      const took = pieces.filter(({ step }) => step === i + 1).reduce((sum, { at, end }) => sum + end - at, 0);
      stop.lastChild.textContent = took ? timeText(took) : "";
    });
    const long = pieces.filter(({ at, end }) => end > at);
    this.bar.setAttribute("aria-label", `Time line, ${timeText(total)} in all: ${long.map(({ title, at, end }) => `${title} ${timeText(end - at)}`).join(", ")}`);
    this.bar.replaceChildren(...long.map(({ step, title, at, end }) => {
      const share = 100 * (end - at) / total;
      const text = `${title} ${timeText(end - at)}`;
      const piece = el("span", { class: `piece of-${step}`, title: text }, share > 16 ? text : "");
      piece.style.left = `${100 * (at - begin) / total}%`;
      piece.style.width = `${share}%`;
      return piece;
    }), el("span", { class: "sum" }, timeText(total)));
  }
}
