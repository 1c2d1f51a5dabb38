// The time bar: a bar a week, a day or a month, the chosen period marked, a handle for keyboard and pointer, and play.
import { element } from "./chrome.js";
import { addDays, Periods } from "./periods.js";

const SVG = "http://www.w3.org/2000/svg";
const BEAT_MS = 1400;

const make = (tag, attributes) => {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
};

export class Timeline {
  /**
   * @param {HTMLElement} container
   * @param {Object} config as `Periods` takes it
   * @param {(period: string) => void} choose
   */
  constructor(container, config, choose) {
    this.config = config;
    this.periods = new Periods(config);
    this.choose = choose;
    this.root = element("div", "cm-time");
    this.play = element("button", "cm-time-play");
    this.play.type = "button";
    this.play.addEventListener("click", () => this.toggle());
    this.track = element("div", "cm-time-track");
    Object.entries({ role: "slider", tabindex: "0", "aria-label": config.words["map.time"] }).forEach(([name, value]) => this.track.setAttribute(name, value));
    this.track.addEventListener("pointerdown", (event) => this.drag(event));
    this.track.addEventListener("keydown", (event) => this.key(event));
    this.root.append(this.play, this.track);
    container.append(this.root);
    this.label(false);
  }

  label(playing) {
    this.play.textContent = playing ? "❚❚" : "▶";
    this.play.setAttribute("aria-label", this.config.words[playing ? "map.pause" : "map.play"]);
    this.play.setAttribute("aria-pressed", String(playing));
  }

  async show(view) {
    this.view = view;
    if (view.weeks !== this.url) {
      this.url = view.weeks;
      const answer = await fetch(view.weeks, { credentials: "same-origin" });
      if (!answer.ok || view.weeks !== this.url) return;
      this.data = await answer.json();
    }
    this.draw();
  }

  get period() {
    return this.view && this.periods.read(this.view.period);
  }

  /** First and last day of a bar. */
  bar(at) {
    const { starts, last } = this.data;
    return { first: starts[at], last: at + 1 < starts.length ? addDays(starts[at + 1], -1) : last };
  }

  draw() {
    const { starts = [], n = [] } = this.data ?? {};
    const { period } = this;
    if (!period || starts.length === 0) return;
    const svg = make("svg", { viewBox: `0 0 ${starts.length} 100`, preserveAspectRatio: "none", "aria-hidden": "true" });
    const most = Math.max(1, ...n.filter((one) => one !== null));
    this.bars = starts.map((_, at) => {
      const bar = this.bar(at);
      const chosen = bar.last >= period.first && bar.first <= period.last;
      const height = n[at] === null ? 100 : Math.max(n[at] ? 4 : 1, (100 * n[at]) / most);
      return make("rect", { x: at + 0.08, y: 100 - height, width: 0.84, height, class: `${chosen ? "on" : ""} ${n[at] === null ? "masked" : ""}` });
    });
    svg.append(...this.bars);
    this.now = element("span", "cm-time-now", period.label);
    const ends = element("div", "cm-time-ends");
    ends.append(element("span", "", starts[0]), this.now, element("span", "", this.data.last));
    this.track.dataset.bars = this.data.bars;
    this.track.replaceChildren(svg, ends);
    const place = this.periods.place(period);
    Object.entries({ "aria-valuemin": 0, "aria-valuemax": place.n - 1, "aria-valuenow": place.at, "aria-valuetext": period.label })
      .forEach(([name, value]) => this.track.setAttribute(name, value));
  }

  step(by) {
    const next = this.periods.moved(this.view.period, by);
    if (!next) return false;
    this.choose(next);
    return true;
  }

  key(event) {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -4, PageUp: 4 }[event.key];
    if (event.key === " ") this.toggle();
    else if (event.key === "Home" || event.key === "End") this.choose(this.periods.utmost(this.view.period, event.key === "End"));
    else if (by) this.step(by);
    else return;
    event.preventDefault();
  }

  /** A bar that is pressed chooses the period of the present length that ends with it; bars that are dragged over, all their days. */
  drag(event) {
    if (!this.data?.starts.length || event.button > 0) return;
    const on = (one) => {
      const box = this.track.getBoundingClientRect();
      const at = Math.floor(((one.clientX - box.left) / box.width) * this.data.starts.length);
      return Math.min(Math.max(at, 0), this.data.starts.length - 1);
    };
    const from = on(event);
    const over = (one) => [from, on(one)].sort((a, b) => a - b);
    const reach = (low, high) => this.periods.between(this.bar(low).first, this.bar(high).last);
    const move = (one) => {
      const [low, high] = over(one);
      this.bars.forEach((bar, at) => bar.classList.toggle("over", low < high && at >= low && at <= high));
      const id = low < high && reach(low, high);
      this.now.textContent = id ? this.periods.read(id).label : this.period.label;
    };
    const end = (one) => {
      this.track.removeEventListener("pointermove", move);
      this.track.removeEventListener("pointercancel", end);
      this.track.removeEventListener("pointerup", end);
      if (one.type === "pointerup") this.take(...over(one), reach);
      if (this.track.isConnected) this.draw();
    };
    this.track.setPointerCapture(event.pointerId);
    this.track.addEventListener("pointermove", move);
    this.track.addEventListener("pointerup", end);
    this.track.addEventListener("pointercancel", end);
  }

  take(low, high, reach) {
    const id = (low < high && reach(low, high)) || this.pressed(high);
    if (id && id !== this.view.period) this.choose(id);
  }

  /** The period that a bar alone chooses. */
  pressed(at) {
    const { first, last } = this.bar(at);
    const listed = this.config.periods.filter((one) => String(one.weeks) === this.period.span);
    if (this.data.bars !== "week" || !listed.length) return this.periods.between(first, last);
    return (listed.findLast((one) => one.last >= last) ?? listed[0]).id;
  }

  toggle() {
    if (this.timer) this.stop();
    else {
      this.label(true);
      if (!this.step(1)) this.choose(this.periods.utmost(this.view.period, false));
      this.timer = setInterval(() => {
        // The next beat waits until the map of the one before is drawn.
        if (document.documentElement.dataset.ready && !this.step(1)) this.stop();
      }, BEAT_MS);
    }
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.label(false);
  }
}
