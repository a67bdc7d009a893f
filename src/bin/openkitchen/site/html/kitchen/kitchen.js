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
import { button, el, getJson, isWatch, memory } from "./dom.js";
import { visible } from "./bytes.js";
import { Feed } from "./feed.js";
import { History } from "./history.js";
import { Calls, ExchangeView } from "./exchange.js";

const root = document.getElementById("kitchen");
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
    this.last.replaceChildren(visible(`${method} ${target}`), ` → ${status ?? "…"}`);
  }
}

// The views, of which one is shown, and the links to them. What a view shows is made at its first use.
class Views {
  #views = new Map(); // name -> { element, link, make, part }
  body = el("div", { class: "views" });
  links = el("ul", {});

  // `make` gives { element, … }, or a promise of it.
  add(name, text, make) {
    const element = el("div", { hidden: true });
    const link = el("a", { href: `#${name}` }, text);
    this.body.append(element);
    this.links.append(el("li", {}, link));
    this.#views.set(name, { element, link, make });
  }

  // Shows a view, and returns a promise of what it shows.
  show(name) {
    for (const [known, { element, link }] of this.#views) {
      element.hidden = known !== name;
      if (known === name) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    this.body.scrollTop = 0;
    const view = this.#views.get(name);
    view.part ??= Promise.resolve(view.make()).then((part) => {
      view.element.replaceChildren(part.element);
      return part;
    });
    return view.part;
  }

  isShown(name) {
    return !this.#views.get(name).element.hidden;
  }
}

async function start() {
  const feed = new Feed();
  const style = loadStyle();
  const views = new Views();
  const title = el("h2", { tabindex: "-1" }, isWatch ? "Through the glass" : "The open kitchen");
  const state = el("span", { class: "state", role: "status" });
  const top = el("header", { class: "top" }, title);
  feed.addEventListener("state", ({ detail }) => {
    state.className = `state is-${detail.state}`;
    state.textContent = detail.state === "live" ? "live" : detail.why || "the server cannot be reached; trying again";
  });
  // Taps that come before the rest is there are noted, too.
  const calls = isWatch ? { of: () => null } : new Calls(feed);

  let table;
  try {
    await feed.start();
    table = (await getJson("/kitchen/table")).rows;
  } catch (error) {
    await style;
    title.textContent = "The kitchen is closed";
    new Door(el("div", { class: "inside" }, top, el("p", { class: "empty" }, error.message)));
    return;
  }
  await style;

  const list = new History(feed, isWatch);
  const exchange = new ExchangeView({ feed, table, calls, isWatch });
  views.add("kitchen", "Live", () => ({ element: el("div", { class: "live" }, list.element, exchange.element) }));
  views.add("lab", "Lab", async () => new (await import("./lab.js")).Lab(feed.hello));
  views.add("course", "Course", async () => new (await import("./course.js")).Course(async (draft) => {
    (await views.show("lab")).write(draft);
    location.hash = "#lab";
  }));
  views.add("words", "Words", async () => ({ element: await (await import("./course.js")).glossary() }));

  if (isWatch) title.append(el("small", {}, ` ${feed.hello.watched}`));
  top.append(el("nav", { "aria-label": "Kitchen" }, views.links), state);
  const door = new Door(el("div", { class: "inside" }, top, views.body));
  if (!isWatch) {
    top.append(button("Close the door", () => door.set(false, true), { class: "small" }));
    document.querySelector(".skip").after(el("a", { class: "skip", href: "#kitchen", click: () => door.set(true, true) }, "Go to the kitchen"));
  }

  const choose = (n, step = null) => {
    list.select(n);
    return exchange.show(n, step);
  };

  // The addresses of the page's states. What is none of them (#menu, #post-4) belongs to the dining room.
  const addresses = [
    [/^#exchange-(\d+)(?:\/step-(10|[1-9]))?$/, async (n, step) => {
      await views.show("kitchen");
      await choose(Number(n), step ? Number(step) : null);
    }],
    [/^#kitchen$/, () => views.show("kitchen")],
    [/^#lab(?:\/([a-z0-9-]+))?$/, async (preset) => (await views.show("lab")).open(preset)],
    [/^#(?:course|lesson-(\d+))$/, async (number) => (await views.show("course")).open(Number(number))],
    [/^#words$/, () => views.show("words")],
  ];
  const follow = async () => {
    if (location.hash === "") return views.show("kitchen");
    for (const [pattern, open] of addresses) {
      const found = location.hash.match(pattern);
      if (!found) continue;
      if (!door.isOpen) door.set(true);
      return open(...found.slice(1));
    }
  };
  addEventListener("hashchange", follow);
  addEventListener("walk", () => list.select(exchange.n));

  // A tap in the dining room is shown at once, unless you are at something else here.
  calls.onJoin = (n) => {
    if (views.isShown("kitchen") && exchange.walk.step === null) choose(n);
  };
  feed.addEventListener("exchange", ({ detail }) => door.tell(detail.exchange, calls.of(detail.exchange.n) !== null));

  // No link leads to an exchange of the run before: the new run has one with the same number.
  feed.addEventListener("restart", () => {
    for (const link of views.body.querySelectorAll(".explained a[href^='#exchange-']")) link.remove();
    if (location.hash.startsWith("#exchange-")) history.replaceState(null, "", "#kitchen");
  });

  await views.show("kitchen");
  list.draw();
  await follow();
  // A link to an exchange that is not kept any more says so, and shows no other.
  if (exchange.n === null && views.isShown("kitchen") && !location.hash.startsWith("#exchange-")) {
    const first = feed.document ?? [...feed.exchanges.keys()].at(-1);
    if (first) choose(first);
  }
}

start();
