// Paper: the map keeps the pixels that it has on the screen, scaled to the sheet, with its legend open below.
const SHEET = 700;

window.addEventListener("beforeprint", () => {
  const map = document.getElementById("map");
  const canvas = map?.querySelector(".cm-map-canvas");
  const legend = map?.querySelector(".cm-map-legend");
  if (!canvas || !legend) return;
  const { clientWidth: width, clientHeight: height } = canvas;
  for (const [name, value] of Object.entries({ width: `${width}px`, height: `${height}px`, zoom: Math.min(1, SHEET / width) })) map.style.setProperty(`--print-${name}`, value);
  legend.dataset.open = legend.open ? "1" : "";
  legend.open = true;
});

window.addEventListener("afterprint", () => {
  const legend = document.querySelector(".cm-map-legend");
  if (legend?.dataset.open === "") legend.open = false;
});
