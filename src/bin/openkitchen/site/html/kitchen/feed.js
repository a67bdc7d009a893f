// The feed: which exchanges and connections there are, live.
//
//   GET /kitchen/state         all of it once, and the id of the last event
//   GET /kitchen/events        each event after that one (Server-Sent Events, one response that does not end)
//
// A browser opens six connections to a host at most, and a stream holds one of them. So a hidden tab lets its stream
// go; when it is seen again, it asks for the events after the last that it had, and gets each of them once.
import { getJson, key } from "./dom.js";

export const KEPT = 100;

export class Feed extends EventTarget {
  exchanges = new Map(); // by number, in order
  connections = new Map();
  hello = null;
  document = null; // the number of the exchange that brought this very page
  own = false; // whether the kitchen's own traffic is shown, too
  #last = ""; // the id of the last event
  #source = null;
  #retry = null;

  constructor() {
    super();
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.#close();
      else this.#open();
    });
    // A page that goes into the back/forward cache keeps no stream, either.
    addEventListener("pagehide", () => this.#close());
    addEventListener("pageshow", (event) => { if (event.persisted) this.#open(); });
  }

  // Reads the whole state, then follows. Throws the sentence of a refusal.
  async start() {
    await this.#readState();
    this.#open();
  }

  showOwn(own) {
    this.own = own;
    this.#again();
  }

  async #readState() {
    const state = await getJson("/kitchen/state");
    const before = this.hello;
    this.hello = state.hello;
    this.#last = state.last;
    const isShown = ({ own }) => this.own || !own;
    this.exchanges = new Map(state.exchanges.filter(isShown).map((exchange) => [exchange.n, exchange]));
    this.connections = new Map(state.connections.filter(isShown).map((connection) => [connection.connection, connection]));
    if (!before) this.document = this.#ownDocument();
    if (before && before.run !== this.hello.run) {
      // Each run numbers its exchanges from 1: what was known of a number is not true of the new one.
      this.document = null;
      this.dispatchEvent(new Event("restart"));
    }
    this.#changed();
  }

  // The last document at this path since the page was asked for, or null. The time is the server's: the clock of the
  // browser may differ.
  #ownDocument() {
    const path = location.pathname + location.search;
    const asked = this.hello.now - performance.now();
    return [...this.exchanges.values()].findLast(({ dest, target, since }) => dest === "document" && target === path && since > asked - 1000)?.n ?? null;
  }

  #open() {
    if (this.#source || document.hidden) return;
    const source = new EventSource(`/kitchen/events?after=${encodeURIComponent(this.#last)}${this.own ? "&own=1" : ""}${key ? `&key=${key}` : ""}`);
    this.#source = source;
    const on = (name, act) => source.addEventListener(name, (event) => {
      if (source !== this.#source) return;
      if (event.lastEventId) this.#last = event.lastEventId;
      act(event.data ? JSON.parse(event.data) : {});
    });
    on("hello", (hello) => {
      this.#say("live");
      // Another run of the server has numbers of its own.
      if (this.hello && hello.run !== this.hello.run) this.#again();
    });
    on("lost", () => this.#again());
    on("exchange", (exchange) => {
      const before = this.exchanges.get(exchange.n);
      this.exchanges.set(exchange.n, exchange);
      for (const n of this.exchanges.keys()) {
        if (this.exchanges.size <= KEPT) break;
        this.exchanges.delete(n);
      }
      this.dispatchEvent(new CustomEvent("exchange", { detail: { exchange, isNew: !before } }));
      this.#changed();
    });
    on("connection", (connection) => {
      const { connection: n, state } = connection;
      const before = this.connections.get(n);
      // One that is gone still says who closed it.
      if (connection.own && !this.own) this.connections.delete(n);
      else if (state !== "gone") this.connections.set(n, connection);
      else if (before?.state === "opened") this.connections.delete(n);
      else if (before) before.gone = true;
      for (const n of this.connections.keys()) {
        if (this.connections.size <= KEPT) break;
        this.connections.delete(n);
      }
      this.#changed();
    });
    source.addEventListener("error", () => {
      if (source !== this.#source) return;
      this.#say("lost");
      // The browser comes back by itself, except after a refusal.
      if (source.readyState === EventSource.CLOSED) this.#again(3000);
    });
  }

  // Starts from the whole state: events were lost, or the server was started again.
  #again(wait = 0) {
    this.#close();
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.start().catch((error) => {
      this.#say("lost", error.message);
      this.#again(3000);
    }), wait);
  }

  #close() {
    this.#source?.close();
    this.#source = null;
  }

  #say(state, why = "") {
    this.dispatchEvent(new CustomEvent("state", { detail: { state, why } }));
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
