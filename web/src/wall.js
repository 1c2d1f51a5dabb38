// Wall mode: the chosen views in turn, large, without controls. Escape or the button that appears on movement leads back.
import { element } from "./chrome.js";

const TURN_MS = 20_000;
const MOST = 12;
const USUAL = [["cloud", "count"], ["hotspots", "hotspot"], ["hotspots", "emerging"], ["cloud", "ratio"]];

export class Wall {
  constructor(ask) {
    this.ask = ask;
    this.at = 0;
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.on) this.leave();
    });
    document.addEventListener("pointermove", () => {
      if (!this.on) return;
      document.body.dataset.moved = "1";
      clearTimeout(this.still);
      this.still = setTimeout(() => { document.body.dataset.moved = ""; }, 3000);
    });
  }

  /** The rotation with the present view added. */
  added(view) {
    const own = [view.page, view.measure, view.layer].join("~");
    const list = view.rotate ? view.rotate.split(".") : [];
    return [...list.filter((one) => one !== own), own].slice(-MOST).join(".");
  }

  /** The views of the rotation that the city has. */
  turns(view, config) {
    const chosen = view.rotate ? view.rotate.split(".").map((one) => one.split("~")) : USUAL.map((one) => [...one, ""]);
    return chosen.filter(([page, measure]) => config.pages[page]?.measures.some((one) => one.value === measure));
  }

  show(view, config) {
    this.view = view;
    this.config = config;
    const list = document.getElementById("wall-list");
    if (list) list.textContent = view.rotate ? config.words["wall.n"].replace("{n}", view.rotate.split(".").length) : config.words["wall.usual"];
    if (Boolean(view.wall) === this.on) return;
    this.on = Boolean(view.wall);
    clearInterval(this.timer);
    this.exit?.remove();
    if (!this.on) return;
    this.exit = element("button", "cm-wall-leave", config.words["wall.leave"]);
    this.exit.addEventListener("click", () => this.leave());
    document.body.append(this.exit);
    this.timer = setInterval(() => this.turn(), TURN_MS);
  }

  turn() {
    const turns = this.turns(this.view, this.config);
    if (turns.length < 2 || !document.documentElement.dataset.ready) return;
    this.at = (this.at + 1) % turns.length;
    const [page, measure, layer] = turns[this.at];
    this.ask({ page, measure, place: "", ...(layer ? { layer } : {}) });
  }

  leave() {
    this.ask({ wall: "" });
  }
}
