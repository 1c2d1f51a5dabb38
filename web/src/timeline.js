// The time bar: a bar a week, the chosen period marked, a handle for keyboard and pointer, and play.
import { element } from "./chrome.js";

const SVG = "http://www.w3.org/2000/svg";
const BEAT_MS = 1400;

const make = (tag, attributes) => {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
};

const addDays = (day, n) => {
  const at = new Date(`${day}T00:00:00Z`);
  at.setUTCDate(at.getUTCDate() + n);
  return at.toISOString().slice(0, 10);
};

export class Timeline {
  /**
   * @param {HTMLElement} container
   * @param {{periods: {id: string, last: string, weeks: number, label: string}[], words: Object<string, string>}} config
   * @param {(period: string) => void} choose
   */
  constructor(container, config, choose) {
    this.config = config;
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
    return this.config.periods.find((one) => one.id === this.view?.period);
  }

  /** Periods of the chosen length, oldest first. */
  get choices() {
    return this.config.periods.filter((one) => one.weeks === this.period?.weeks).reverse();
  }

  draw() {
    const { weeks = [], n = [] } = this.data ?? {};
    const { period } = this;
    if (!period || weeks.length === 0) return;
    const svg = make("svg", { viewBox: `0 0 ${weeks.length} 100`, preserveAspectRatio: "none", "aria-hidden": "true" });
    const most = Math.max(1, ...n.filter((one) => one !== null));
    const first = addDays(period.last, 1 - 7 * period.weeks);
    weeks.forEach((week, at) => {
      const chosen = week >= first && week <= period.last;
      const height = n[at] === null ? 100 : Math.max(n[at] ? 4 : 1, (100 * n[at]) / most);
      svg.append(make("rect", { x: at + 0.08, y: 100 - height, width: 0.84, height, class: `${chosen ? "on" : ""} ${n[at] === null ? "masked" : ""}` }));
    });
    const ends = element("div", "cm-time-ends");
    ends.append(element("span", "", weeks[0]), element("span", "cm-time-now", period.label), element("span", "", addDays(weeks.at(-1), 6)));
    this.track.replaceChildren(svg, ends);
    const { choices } = this;
    const at = choices.findIndex((one) => one.id === period.id);
    Object.entries({ "aria-valuemin": 0, "aria-valuemax": choices.length - 1, "aria-valuenow": at, "aria-valuetext": period.label })
      .forEach(([name, value]) => this.track.setAttribute(name, value));
  }

  step(by) {
    const { choices } = this;
    const at = choices.findIndex((one) => one.id === this.view.period) + by;
    if (at < 0 || at >= choices.length) return false;
    this.choose(choices[at].id);
    return true;
  }

  key(event) {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -4, PageUp: 4 }[event.key];
    if (event.key === " ") this.toggle();
    else if (event.key === "Home") this.choose(this.choices[0].id);
    else if (event.key === "End") this.choose(this.choices.at(-1).id);
    else if (by) this.step(by);
    else return;
    event.preventDefault();
  }

  drag(event) {
    const week = (one) => {
      const box = this.track.getBoundingClientRect();
      const at = Math.floor(((one.clientX - box.left) / box.width) * this.data.weeks.length);
      return this.data.weeks[Math.min(Math.max(at, 0), this.data.weeks.length - 1)];
    };
    const end = (one) => {
      const last = addDays(week(one), 6);
      const found = this.choices.find((each) => each.last >= last) ?? this.choices.at(-1);
      if (found && found.id !== this.view.period) this.choose(found.id);
    };
    if (!this.data?.weeks.length) return;
    this.track.setPointerCapture(event.pointerId);
    this.track.addEventListener("pointerup", end, { once: true });
  }

  toggle() {
    if (this.timer) this.stop();
    else {
      this.label(true);
      if (!this.step(1)) this.choose(this.choices[0].id);
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
