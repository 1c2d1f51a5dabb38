// The list of layers on top: each row raises its layer and sets its opacity; the rows stand in the order of the map, the topmost first.
import { element } from "./chrome.js";

const DELAY_MS = 250;

/** Fill the tools that the page leaves empty, once. */
export function decorate(config, ask, view) {
  for (const tools of document.querySelectorAll(".cm-tools:empty")) {
    const { layer } = tools.dataset;
    const name = config.layers.find((one) => one.id === layer)?.name ?? config.basemap.label;
    const raise = element("button", "cm-raise", "↑");
    raise.type = "button";
    raise.setAttribute("aria-label", `${config.words["map.raise"]} ${name}`);
    raise.addEventListener("click", (event) => {
      event.preventDefault();
      const { shown } = view();
      const own = shown.find((one) => one.split("~")[0] === layer);
      if (own) ask({ shown: [...shown.filter((one) => one !== own), own] });
    });
    const fade = document.createElement("input");
    Object.assign(fade, { type: "range", min: "10", max: "100", step: "10", className: "cm-fade" });
    fade.setAttribute("aria-label", `${config.words["map.fade"]} ${name}`);
    let timer;
    fade.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        const value = fade.value === "100" ? layer : `${layer}~${fade.value}`;
        ask({ shown: view().shown.map((one) => (one.split("~")[0] === layer ? value : one)) });
      }, DELAY_MS);
    });
    tools.append(...(layer === "base" ? [fade] : [raise, fade]));
  }
}

export function mirrorRows(shown) {
  const ids = shown.map((one) => one.split("~")[0]);
  for (const row of document.querySelectorAll(".cm-row")) {
    const at = ids.indexOf(row.dataset.row);
    row.classList.toggle("on", at >= 0);
    row.style.order = at < 0 ? 100 : 50 - at;
    const fade = row.querySelector(".cm-fade");
    if (fade && at >= 0 && document.activeElement !== fade) fade.value = shown[at].split("~")[1] ?? "100";
  }
}
