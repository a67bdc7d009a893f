// The walk: one exchange in the ten steps of src/lib.rs, forward and back.
//
// The steps lie as the bytes go: from the page through the slot into the kitchen, and back. At each step the panes show
// what is there by then and nothing of what comes later, so you see the response only once it is written.
import { button, el, isCalm, isTyping, timeText } from "./dom.js";

const TITLES = ["The click", "Accept", "Read", "Head", "Framing", "Route", "Content", "Handler", "Response", "The page"];
const PACE = 3000; // milliseconds that a step is shown when the walk goes by itself

export class Walk {
  step = null; // 1 to 10, or null while the exchange is shown as a whole
  #steps = [];
  #timer = null;

  constructor(view) {
    this.view = view;
    this.stops = TITLES.map((title, i) => el("button", { type: "button", click: () => this.#to(i + 1) },
      el("b", {}, i + 1), el("span", {}, title), el("small", {})));
    this.token = el("span", { class: "token", hidden: true, "aria-hidden": "true" });
    this.bar = el("div", { class: "bar", role: "img" });
    this.title = el("h4", {});
    this.text = el("p", {});
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
      if (event.key === "ArrowRight") this.#to(Math.min(10, this.step + 1));
      else if (event.key === "ArrowLeft") this.#to(Math.max(1, this.step - 1));
      else if (event.key === "Escape") this.#to(null);
      else return;
      event.preventDefault();
    });
    new ResizeObserver(() => this.#placeToken()).observe(this.element);
  }

  // Takes the steps of an exchange.
  load({ steps, took }) {
    this.#steps = steps;
    this.element.hidden = steps.length === 0;
    this.stops.forEach((stop, i) => {
      const time = steps[i]?.took;
      stop.lastChild.textContent = time ? timeText(time) : "";
    });
    this.whole.replaceChildren(...steps.map(({ text }, i) => el("li", {}, el("b", {}, TITLES[i]), ` ${text}`)));
    this.#drawBar(took);
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
    this.title.textContent = `${this.step}. ${TITLES[this.step - 1]}`;
    this.text.textContent = this.#steps[this.step - 1].text;
    this.back.disabled = this.step === 1;
    this.next.disabled = this.step === 10;
    if (this.step === 10) this.#stop();
    const lit = [...element.querySelectorAll(".on")];
    lit[0]?.scrollIntoView({ block: "nearest", behavior: isCalm() ? "auto" : "smooth" });
  }

  #to(step) {
    const hash = `#exchange-${this.view.n}${step === null ? "" : `/step-${step}`}`;
    history.replaceState(null, "", hash); // a step is no page of its own: Back leads out of the walk
    this.go(step);
    dispatchEvent(new Event("walk"));
  }

  #play() {
    if (this.#timer) return this.#stop();
    if (this.step === 10) this.#to(1);
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
    if (all) this.#to(10);
  }

  #placeToken() {
    this.token.hidden = this.step === null;
    if (this.step === null) return;
    const stop = this.stops[this.step - 1].firstChild;
    const [box, frame] = [stop.getBoundingClientRect(), this.token.parentElement.getBoundingClientRect()];
    this.token.style.transform = `translate(${box.left - frame.left + box.width / 2}px, ${box.top - frame.top + box.height / 2}px)`;
  }

  // The time line: each step as wide as it is long.
  #drawBar(took) {
    const timed = this.#steps.filter((step) => step.at != null && step.took);
    this.bar.hidden = timed.length === 0;
    if (!timed.length) return;
    const end = Math.max(took ?? 0, ...timed.map(({ at, took }) => at + took));
    const begin = Math.min(...timed.map(({ at }) => at));
    const scale = 100 / (end - begin || 1);
    const longest = [...timed].sort((a, b) => b.took - a.took)[0];
    this.bar.setAttribute("aria-label", `Time line: ${timeText(end - begin)} in all; the longest step is ${longest.step}, ${TITLES[longest.step - 1]}, with ${timeText(longest.took)}`);
    this.bar.replaceChildren(
      ...timed.map(({ step, at, took }) => {
        const piece = el("span", { class: `piece of-${step}`, title: `${step}. ${TITLES[step - 1]}: ${timeText(took)}` },
          took * scale > 14 ? `${TITLES[step - 1]} ${timeText(took)}` : "");
        piece.style.left = `${(at - begin) * scale}%`;
        piece.style.width = `${took * scale}%`;
        return piece;
      }),
      el("span", { class: "sum" }, timeText(end - begin)));
  }
}
