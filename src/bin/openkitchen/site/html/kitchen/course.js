// The course: the built-in lessons, the same texts as in the terminal (openkitchen learn).
//
// A lesson is read, then predicted, then sent; the answer is compared with the prediction; then the request is broken
// on purpose. What somebody has done is kept in this browser only.
import { button, el, getJson, memory, plural } from "./dom.js";
import { clauseLink } from "./bytes.js";
import { drawDraft, readDraft, toDraft } from "./draft.js";
import { Answer } from "./lab.js";

export class Course {
  #groups = null;
  #done = memory.get("course", {}); // a lesson's name -> { predicted, sent, broke: [numbers] }

  constructor(openInLab) {
    this.openInLab = openInLab;
    this.index = el("nav", { class: "index", "aria-label": "Lessons" });
    this.page = el("article", { class: "lesson" });
    this.element = el("section", { class: "course", "aria-label": "The course" }, this.index, this.page);
    new ResizeObserver(() => this.#unfold()).observe(this.element);
  }

  get lessons() {
    return this.#groups.flatMap(({ lessons }) => lessons);
  }

  // Opens a lesson by its number; without one, the first that is not done.
  async open(number) {
    try {
      this.#groups ??= (await getJson("/kitchen/course")).groups;
    } catch (error) {
      this.page.replaceChildren(el("p", { class: "empty" }, error.message));
      return;
    }
    const lesson = this.lessons.find((lesson) => lesson.number === number);
    if (lesson) this.#show(lesson);
    else this.#welcome();
    this.#drawIndex(lesson);
  }

  #is(lesson) {
    return this.#done[lesson.name] ?? {};
  }

  #note(lesson, change) {
    this.#done[lesson.name] = { ...this.#is(lesson), ...change };
    memory.set("course", this.#done);
    this.#drawIndex(lesson);
  }

  #welcome() {
    const next = this.lessons.find((lesson) => !this.#is(lesson).sent);
    const done = this.lessons.filter((lesson) => this.#is(lesson).sent).length;
    this.page.replaceChildren(
      el("h3", {}, "HTTP, lesson by lesson"),
      el("p", {}, "Each lesson is one request. You read what it is about, predict the answer, send it to this very server, and compare. Then you break it, and see what happens."),
      el("p", {}, `${done} of ${this.lessons.length} done. Your progress is kept in this browser only.`),
      next ? el("p", {}, el("a", { class: "primary", href: `#lesson-${next.number}` }, `${done ? "Go on" : "Begin"}: ${next.title}`)) : el("p", {}, el("b", {}, "You have sent them all.")),
      el("dl", {}, this.#groups.flatMap(({ title, goal }) => [el("dt", {}, title), el("dd", {}, goal)])));
  }

  #drawIndex(open) {
    const isOpen = this.index.querySelector("details")?.open ?? false;
    const list = this.#groups.map(({ title, lessons }) => [
      el("h3", {}, title, el("small", {}, `${lessons.filter((lesson) => this.#is(lesson).sent).length}/${lessons.length}`)),
      el("ol", {}, lessons.map((lesson) => el("li", {},
        el("a", { href: `#lesson-${lesson.number}`, "aria-current": lesson === open ? "page" : false },
          el("span", { class: "tick", role: "img", "aria-label": this.#is(lesson).sent ? "done" : "not done" }, this.#is(lesson).sent ? "●" : "○"),
          el("span", { class: "n" }, lesson.number), el("span", {}, lesson.title))))),
    ]);
    this.index.replaceChildren(el("details", { open: isOpen || !open }, el("summary", {}, "All lessons"), list));
    this.#unfold();
  }

  // On a narrow window the list of lessons is folded above the lesson. Beside it, there is nothing to unfold it with, and it shows
  // the open one.
  #unfold() {
    const summary = this.index.querySelector("summary");
    if (!summary || getComputedStyle(summary).display !== "none") return;
    summary.parentElement.open = true;
    const current = this.index.querySelector("[aria-current]");
    if (current) this.index.scrollTop = current.offsetTop - this.index.clientHeight / 2;
  }

  #show(lesson) {
    const { number, title, clause, about, predict, keep } = lesson;
    const at = this.lessons.indexOf(lesson);
    const [before, after] = [this.lessons[at - 1], this.lessons[at + 1]];
    this.answer = new Answer();
    this.verdict = el("div", { class: "verdict", role: "status" });
    this.rest = el("div", {});
    this.sendButton = button("Send it", () => this.#send(lesson), { class: "primary" });
    const stage = (name, ...children) => el("section", { class: "stage", "aria-label": name }, el("h4", {}, name), ...children);
    const isPredicted = predict === null || this.#is(lesson).predicted !== undefined;
    this.sendButton.disabled = !isPredicted;
    this.page.replaceChildren(
      el("h3", {}, el("span", { class: "n" }, number), " ", title),
      el("p", {}, clauseLink(clause.split(": ", 1)[0]), withCode(clause.slice(clause.split(": ", 1)[0].length))),
      stage("Read", ...about.map((text) => el("p", {}, ...withCode(text))), this.#bytes(lesson.request)),
      predict ? stage("Predict", this.#question(lesson)) : "",
      stage("Send", el("div", { class: "tools" }, this.sendButton, button("Take it to the lab", () => this.openInLab(toDraft(lesson.request)))), this.verdict, this.answer.element),
      this.rest,
      keep ? stage("Keep", el("p", { class: "keep" }, ...withCode(keep))) : "",
      el("p", { class: "turn" },
        before ? el("a", { href: `#lesson-${before.number}` }, `← ${before.title}`) : el("span", {}),
        after ? el("a", { href: `#lesson-${after.number}` }, `${after.title} →`) : el("a", { href: "#course" }, "The end: all lessons")));
    this.answer.idle(isPredicted ? "Nothing is sent yet." : "Predict first: a guess that was wrong is remembered best.");
    if (this.#is(lesson).sent) this.#drawBreaks(lesson);
  }

  #bytes(transcript) {
    const draft = toDraft(transcript);
    const pre = el("pre", { class: "bytes", tabindex: "0", "aria-label": "The request" });
    const read = readDraft(draft);
    if (!read.rows.some(({ kind, text }) => kind === "bytes" && text !== "")) {
      return el("p", { class: "soft" }, "This lesson sends no bytes: it only opens a connection.");
    }
    drawDraft(pre, draft, read);
    return pre;
  }

  #question(lesson) {
    const { question, answers } = lesson.predict;
    const chosen = this.#is(lesson).predicted;
    const choose = (number) => {
      this.#note(lesson, { predicted: number });
      this.sendButton.disabled = false;
      this.answer.idle("Now send it.");
    };
    return el("fieldset", {}, el("legend", {}, question), answers.map((text, number) => el("label", { class: "choice" },
      el("input", { type: "radio", name: `predict-${lesson.number}`, checked: chosen === number, change: () => choose(number) }), el("span", {}, ...withCode(text)))));
  }

  async #send(lesson) {
    this.sendButton.disabled = true;
    // Its place is taken now, so that nothing moves when the answer is there.
    this.verdict.className = "verdict waits";
    this.verdict.replaceChildren(el("h4", {}, "Compare"), el("p", {}, "When the answer is complete."));
    const result = await this.answer.send(lesson.request);
    this.sendButton.disabled = false;
    if (!result) return;
    this.#note(lesson, { sent: true });
    const { predict, because } = lesson;
    if (predict) {
      const isRight = this.#is(lesson).predicted === predict.right;
      this.verdict.className = `verdict ${isRight ? "right" : "wrong"}`;
      this.verdict.replaceChildren(
        el("h4", {}, "Compare"),
        el("p", {}, el("b", {}, isRight ? "As you predicted: " : "Not as you predicted. "), isRight ? "" : "The right answer: ", ...withCode(predict.answers[predict.right])),
        because ? el("p", {}, ...withCode(because)) : "");
    } else {
      this.verdict.className = "verdict right";
      this.verdict.replaceChildren(el("h4", {}, "Compare"), el("p", {}, ...withCode(because)));
    }
    this.#drawBreaks(lesson);
  }

  #drawBreaks(lesson) {
    if (!lesson.breaks.length) return;
    const broke = new Set(this.#is(lesson).broke);
    const items = lesson.breaks.map(({ title, about, request }, number) => {
      const answer = new Answer();
      answer.element.hidden = true;
      const send = button("Break it", async () => {
        answer.element.hidden = false;
        send.disabled = true;
        if (await answer.send(request)) {
          this.#note(lesson, { broke: [...new Set([...(this.#is(lesson).broke ?? []), number])] });
          send.textContent = "Break it again";
        }
        send.disabled = false;
      }, { class: "small" });
      if (broke.has(number)) send.textContent = "Break it again";
      return el("li", {}, el("h5", {}, title), about ? el("p", {}, ...withCode(about)) : "", this.#bytes(request),
        el("div", { class: "tools" }, send, button("Take it to the lab", () => this.openInLab(toDraft(request)), { class: "small" })), answer.element);
    });
    this.rest.replaceChildren(el("section", { class: "stage", "aria-label": "Break it" }, el("h4", {}, "Break it"),
      el("p", {}, `The same lesson with ${plural(items.length, "mistake")} in it. The answers are true: this server gives them now.`),
      el("ol", { class: "breaks" }, items)));
  }
}

// The words of the course and the explanations, in one list.
export async function glossary() {
  const { words } = await getJson("/kitchen/words").catch((error) => ({ words: [{ word: "None", text: error.message }] }));
  return el("section", { class: "words", "aria-label": "Words" },
    el("h3", {}, "Words"),
    el("dl", {}, words.map(({ word, text, clause }) => [el("dt", {}, word), el("dd", {}, text, " ", clauseLink(clause ?? ""))])));
}

// What stands between backticks in a lesson is code.
function withCode(text) {
  return text.split("`").map((part, number) => (number % 2 ? el("code", {}, part) : part));
}
