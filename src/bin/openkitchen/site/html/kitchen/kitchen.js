// The kitchen: the part of the page that shows what crosses between the page and the server.
//
//   kitchen.js     this file: the door, the views, and which address (#…) shows what
//   feed.js        which exchanges and connections there are, live
//   history.js     the list of them
//   exchange.js    one exchange in three panes; walk.js: its ten steps; compare.js: what a framework added
//   bytes.js       a message as bytes, with the meaning of each part
//   lab.js         bytes that you send yourself; draft.js: what you type, as bytes
//   course.js      the lessons, and the words
//
// The lab and the course are loaded when somebody opens them.
// There is no framework and no build step: these files are what the browser runs.
import { button, el, getJson, memory } from "./dom.js";
import { Feed } from "./feed.js";
import { History } from "./history.js";
import { Calls, ExchangeView, ownDocument } from "./exchange.js";

const root = document.getElementById("kitchen");
const isWatch = document.body.classList.contains("watch");
const isWide = () => isWatch || matchMedia("(min-width: 60rem)").matches;

// The style sheet of the kitchen alone: a page without JavaScript does not need it.
function loadStyle() {
  return new Promise((resolve) => {
    document.head.append(el("link", { rel: "stylesheet", href: "/kitchen/kitchen.css", load: resolve, error: resolve }));
  });
}

// The door between the two rooms. On a narrow window one of them is shown at a time; on a wide one both, unless the
// door was closed. What was chosen is kept.
class Door {
  constructor(inside) {
    this.inside = inside;
    this.until = 0;
    this.last = el("span", { class: "last" });
    this.closed = el("div", { class: "door" }, el("div", { class: "leaf" },
      el("p", { class: "sign" }, "Kitchen staff only"),
      el("button", { type: "button", class: "open", click: () => this.set(true, true) }, el("b", {}, "Open it"), this.last)));
    this.heading = el("h1", { class: "unseen" }, "Open Kitchen");
    root.append(this.heading, this.closed, inside);
    const narrow = matchMedia("(max-width: 59.99rem)");
    narrow.addEventListener("change", () => this.set(isWide() && memory.get("door", true)));
    this.set(isWide() && memory.get("door", true));
  }

  set(isOpen, isChosen = false) {
    if (isWatch) isOpen = true;
    this.isOpen = isOpen;
    document.documentElement.classList.toggle("kitchen-open", isOpen);
    this.closed.hidden = isOpen;
    this.inside.hidden = !isOpen;
    // Where the dining room is not to be seen, the kitchen is the page.
    const isAlone = isOpen && !isWatch && !isWide();
    root.role = isAlone ? "main" : null;
    this.heading.hidden = !isAlone && !isWatch;
    if (!isChosen) return;
    if (isWide()) memory.set("door", isOpen);
    (isOpen ? this.inside.querySelector("h2") : this.closed.querySelector("button")).focus();
    if (!isOpen && location.hash.length > 1) history.replaceState(null, "", location.pathname + location.search);
  }

  // On the closed door: the last exchange, so that even a phone shows what a tap has caused. That one stays a while.
  tell({ method, target, status }, isTap) {
    const now = performance.now();
    if (isTap) this.until = now + 5000;
    else if (now < this.until) return;
    this.last.textContent = `${method} ${target} → ${status ?? "…"}`;
  }
}

async function start() {
  const feed = new Feed();
  const style = loadStyle();
  const title = el("h2", { tabindex: "-1" }, isWatch ? "Through the glass" : "The open kitchen");
  const state = el("span", { class: "state", role: "status" }, "");
  const views = new Map(); // name -> element
  const body = el("div", { class: "views" });
  const links = [["kitchen", "Live"], ["lab", "Lab"], ["course", "Course"], ["words", "Words"]]
    .map(([name, text]) => el("a", { href: `#${name}`, "data-view": name }, text));
  const close = isWatch ? null : button("Close the door", () => door.set(false, true), { class: "small" });
  const inside = el("div", { class: "inside" },
    el("header", { class: "top" }, title, el("nav", { "aria-label": "Kitchen" }, el("ul", {}, links.map((link) => el("li", {}, link)))), state, close),
    body);

  feed.addEventListener("state", ({ detail }) => {
    state.className = `state is-${detail.state}`;
    state.textContent = detail.state === "live" ? "live" : detail.why || "the server cannot be reached; trying again";
  });

  const calls = isWatch ? { of: () => null } : new Calls(feed);
  try {
    await feed.start();
  } catch (error) {
    await style;
    title.textContent = "The kitchen is closed";
    new Door(el("div", { class: "inside" }, el("header", { class: "top" }, title), el("p", { class: "empty" }, error.message)));
    return;
  }
  const { rows } = await getJson("/kitchen/table");
  await style;

  const list = new History(feed, isWatch);
  const exchange = new ExchangeView({ feed, table: rows, calls, isWatch });
  const holder = () => el("div", {});
  const [lab, course, words] = [holder(), holder(), holder()];
  views.set("kitchen", el("div", { class: "live" }, list.element, exchange.element)).set("lab", lab).set("course", course).set("words", words);
  for (const view of views.values()) {
    view.hidden = true;
    body.append(view);
  }
  if (feed.hello.watched) title.append(el("small", {}, ` ${feed.hello.watched}`));
  const door = new Door(inside);

  // Makes what a view shows at its first use.
  const once = (view, make) => {
    let made;
    return () => made ??= make().then((part) => {
      view.replaceChildren(part.element);
      return part;
    });
  };
  const openLab = once(lab, async () => new (await import("./lab.js")).Lab(feed.hello));
  const openCourse = once(course, async () => new (await import("./course.js")).Course(async (draft) => {
    (await openLab()).write(draft);
    location.hash = "#lab";
  }));
  const openWords = once(words, async () => ({ element: await (await import("./course.js")).glossary() }));

  const show = (name) => {
    for (const [known, view] of views) view.hidden = known !== name;
    for (const link of links) {
      if (link.dataset.view === name) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    body.scrollTop = 0;
  };
  const choose = (n, step = null) => {
    list.select(n);
    return exchange.show(n, step);
  };

  // The addresses of the page's states. What is none of them (#menu, #post-4) belongs to the dining room.
  const follow = async () => {
    const { hash } = location;
    let found;
    if ((found = hash.match(/^#exchange-(\d+)(?:\/step-(10|[1-9]))?$/))) {
      show("kitchen");
      await choose(Number(found[1]), found[2] ? Number(found[2]) : null);
    } else if (hash === "#kitchen") {
      show("kitchen");
    } else if (hash === "") {
      return show("kitchen");
    } else if ((found = hash.match(/^#lab(?:\/([a-z0-9-]+))?$/))) {
      show("lab");
      (await openLab()).open(found[1]);
    } else if ((found = hash.match(/^#(?:course|lesson-(\d+))$/))) {
      show("course");
      await (await openCourse()).open(Number(found[1]));
    } else if (hash === "#words") {
      show("words");
      await openWords();
    } else {
      return;
    }
    if (!door.isOpen) door.set(true);
  };
  addEventListener("hashchange", follow);
  addEventListener("walk", () => list.select(exchange.n));

  // A tap in the dining room is shown at once, unless you are at something else here.
  calls.onJoin = (n) => {
    if (!views.get("kitchen").hidden && exchange.walk.step === null) choose(n);
  };
  feed.addEventListener("exchange", ({ detail }) => door.tell(detail.exchange, calls.of(detail.exchange.n) !== null));

  show("kitchen");
  list.draw();
  await follow();
  if (exchange.n === null && !views.get("kitchen").hidden) {
    const first = ownDocument(feed) ?? [...feed.exchanges.values()].at(-1);
    if (first) choose(first.n);
  }
}

start();
