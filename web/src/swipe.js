// Two maps on one ground: the earlier period at the left of a line that moves.
import { element } from "./chrome.js";

export class Swipe {
  constructor(container, words, moved) {
    this.container = container;
    this.moved = moved;
    this.share = 0.5;
    this.ground = element("div", "cm-map-canvas cm-twin");
    this.line = element("div", "cm-swipe");
    Object.entries({ role: "slider", tabindex: "0", "aria-label": words["map.swipe"], "aria-valuemin": 0, "aria-valuemax": 100 }).forEach(([name, value]) => this.line.setAttribute(name, value));
    this.names = [element("span", "cm-swipe-name before"), element("span", "cm-swipe-name now")];
    container.querySelector(".cm-map-canvas").after(this.ground);
    container.append(this.line, ...this.names);
    this.line.addEventListener("pointerdown", (event) => this.line.setPointerCapture(event.pointerId));
    this.line.addEventListener("pointermove", (event) => {
      if (this.line.hasPointerCapture(event.pointerId)) this.place((event.clientX - container.getBoundingClientRect().left) / container.clientWidth);
    });
    this.line.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -0.05, ArrowRight: 0.05 }[event.key];
      if (by) this.place(this.share + by);
    });
    this.place(0.5);
  }

  get x() {
    return this.share * this.container.clientWidth;
  }

  name(before, now) {
    this.names[0].textContent = before;
    this.names[1].textContent = now;
  }

  place(share) {
    this.share = Math.min(Math.max(share, 0.02), 0.98);
    const percent = `${(100 * this.share).toFixed(1)}%`;
    this.container.style.setProperty("--swipe", percent);
    this.line.setAttribute("aria-valuenow", Math.round(100 * this.share));
    this.moved?.();
  }

  remove() {
    for (const one of [this.ground, this.line, ...this.names]) one.remove();
  }
}
