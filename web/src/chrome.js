// What stands on the map: title, legend, message, hover card. Every word arrives as text and is set as text, never as HTML.
import { paints, patternUrl } from "./palette.js";

/** Width of the map, in pixels, from which the legend stands open beside the city. */
export const ROOM_FOR_LEGEND = 640;

export function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

export class Chrome {
  constructor(container, words) {
    this.words = words;
    this.title = element("div", "cm-map-title");
    this.title.setAttribute("aria-live", "polite");
    this.legend = element("details", "cm-map-legend");
    this.legend.open = container.clientWidth >= ROOM_FOR_LEGEND;
    this.message = element("div", "cm-map-message");
    this.message.setAttribute("role", "status");
    this.message.hidden = true;
    this.card = element("div", "cm-map-card");
    this.card.hidden = true;
    this.cross = element("div", "cm-map-cross");
    this.bar = element("div", "cm-map-bar");
    container.append(this.title, this.legend, this.message, this.card, this.cross, this.bar);
  }

  /** Show that work goes on; work that takes long is said in words. */
  busy(on) {
    this.bar.classList.toggle("on", on);
    clearTimeout(this.slow);
    if (on) this.slow = setTimeout(() => this.say(this.words["map.slow"]), 2500);
  }

  /** Say something over the map, with a button that tries again or one that leads on ({label, ask}). */
  say(text, retry, way) {
    clearTimeout(this.slow);
    this.message.replaceChildren();
    this.message.hidden = !text;
    if (!text) return;
    this.message.append(element("div", "", text));
    if (retry) {
      const button = element("button", "", this.words["map.retry"]);
      button.addEventListener("click", retry);
      this.message.append(button);
    }
    if (way) {
      const button = element("button", "", way.label);
      button.dataset.ask = JSON.stringify(way.ask);
      this.message.append(button);
    }
  }

  drawTitle(values) {
    const line = element("div", "cm-map-line");
    line.append(element("span", "", values.subtitle));
    this.title.replaceChildren(element("h1", "", values.title), line);
    if (values.crumbs.length) this.title.append(this.drawCrumbs(values.crumbs));
    for (const tag of values.tags) this.title.append(element("span", "cm-map-tag", tag));
  }

  /** The way back up from the unit that the map is drilled into. */
  drawCrumbs(crumbs) {
    const way = element("nav", "cm-crumbs");
    way.setAttribute("aria-label", this.words["map.home"]);
    const steps = [{ within: "", name: this.words["map.home"] }, ...crumbs];
    steps.forEach((step, at) => {
      if (at) way.append(element("span", "", "›"));
      const last = at === steps.length - 1;
      const node = element(last ? "strong" : "button", last ? "" : "cm-ask", step.name);
      if (!last) {
        node.type = "button";
        const below = steps[at + 1].within.split("~")[0];
        node.dataset.ask = JSON.stringify({ within: step.within, layer: below, place: "" });
      }
      way.append(node);
    });
    return way;
  }

  drawLegend(values) {
    this.values = values;
    const { legend, styles } = values;
    const summary = element("summary", "", legend.title);
    const table = element("table");
    table.append(element("caption", "", `${legend.period} · ${legend.unit}`));
    const paint = paints(styles);
    for (const row of legend.rows) {
      const line = element("tr");
      const swatch = element("td", "swatch");
      const box = element("i", row.code === 0 ? "empty" : "");
      box.style.backgroundColor = paint[row.code].colour;
      if (paint[row.code].pattern) box.style.backgroundImage = patternUrl(paint[row.code].pattern);
      swatch.append(box);
      line.dataset.code = row.code;
      line.append(swatch, element("th", "", row.label), element("td", "n", row.places));
      table.append(line);
    }
    const body = element("div", "cm-map-legend-body");
    body.append(table, element("p", "denominator", legend.denominator));
    for (const note of legend.notes) body.append(element("p", "note", note));
    this.legend.replaceChildren(summary, body);
  }

  showCard(point, name, lines) {
    this.card.replaceChildren(element("strong", "", name), ...lines.map((line) => element("div", "", line)));
    this.card.hidden = false;
    const { clientWidth, clientHeight } = this.card.parentElement;
    const left = Math.min(point.x + 14, clientWidth - this.card.offsetWidth - 8);
    const below = point.y + 18 + this.card.offsetHeight < clientHeight;
    this.card.style.transform = `translate(${Math.max(8, left)}px, ${below ? point.y + 18 : point.y - this.card.offsetHeight - 12}px)`;
  }

  hideCard() {
    this.card.hidden = true;
  }
}
