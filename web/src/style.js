// Layers of the map and how they are painted, from the ground up. `slot-…` layers draw nothing; they mark heights to insert below.
import { colours, GROUND, scheme } from "./palette.js";

const FONT = ["Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", "Source Han Sans SC", "sans-serif"];
const WIDTH = { district: 2.6, street: 1.8, community: 1.1, village: 1.1, grid: 0.8, microgrid: 0.5 };

const slot = (id) => ({ id: `slot-${id}`, type: "background", layout: { visibility: "none" } });

export function emptyStyle() {
  return {
    version: 8,
    sources: {},
    layers: [
      { id: "space", type: "background", paint: { "background-color": GROUND[scheme()].space } },
      ...["fill", "water", "outline", "marks", "label"].map(slot),
    ],
  };
}

export const hatchImage = (mode = scheme()) => {
  const size = 8;
  const data = new Uint8Array(size * size * 4);
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(GROUND[mode].hatch.slice(at, at + 2), 16));
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      if ((x + y) % size < 2) data.set([r, g, b, 230], (y * size + x) * 4);
    }
  }
  return { width: size, height: size, data };
};

export function fillColour(palette, classes) {
  const paint = colours(palette, classes);
  return ["match", ["coalesce", ["feature-state", "c"], 0], ...paint.slice(1).flatMap((colour, step) => [step + 1, colour]), paint[0]];
}

export const landLayer = (source) => ({ id: "land", type: "fill", source, paint: { "fill-color": GROUND[scheme()].land } });

export function valueLayers(id, cells) {
  const source = `src-${id}`;
  return [
    { id: `fill-${id}`, type: "fill", source, paint: { "fill-opacity": 0.9, "fill-antialias": !cells } },
    { id: `hatch-${id}`, type: "fill", source, filter: ["in", ["id"], ["literal", []]], paint: { "fill-pattern": "hatch", "fill-opacity": 0.8 } },
    {
      id: `edge-${id}`, type: "line", source,
      paint: {
        "line-color": GROUND[scheme()].edge,
        "line-width": ["interpolate", ["linear"], ["zoom"], 10, cells ? 0.15 : 0.5, 14, 0.9],
        "line-opacity": cells ? ["interpolate", ["linear"], ["zoom"], 10, 0.12, 13, 0.4] : 0.6,
      },
    },
  ];
}

function waterLayers(id) {
  const ground = GROUND[scheme()];
  const source = `src-${id}`;
  return [
    { id: `context-${id}-fill`, type: "fill", source, filter: ["in", ["geometry-type"], ["literal", ["Polygon", "MultiPolygon"]]], paint: { "fill-color": ground.waterFill, "fill-opacity": 0.75 } },
    {
      id: `context-${id}-line`, type: "line", source, layout: { "line-cap": "round", "line-join": "round" },
      paint: { "line-color": ground.water, "line-opacity": 0.85, "line-width": ["interpolate", ["linear"], ["zoom"], 9, 0.5, 12, 1.4, 15, 3.5] },
    },
  ];
}

function outlineLayers(layer) {
  const ground = GROUND[scheme()];
  const overlay = layer.kind === "overlay";
  const width = WIDTH[layer.level] ?? 1;
  return [
    {
      id: `context-${layer.id}`, type: "line", source: `src-${layer.id}`, layout: { "line-join": "round" },
      paint: {
        "line-color": overlay ? ground.overlay : ground.outline,
        "line-opacity": overlay ? 0.9 : 0.75,
        "line-width": ["interpolate", ["linear"], ["zoom"], 9, width * 0.6, 14, width * 1.6],
        ...(overlay ? { "line-dasharray": [3, 2] } : {}),
      },
    },
  ];
}

function landmarkLayers(id) {
  const ground = GROUND[scheme()];
  return [
    {
      id: `context-${id}-dot`, type: "circle", source: `src-${id}`,
      paint: { "circle-color": ground.landmark, "circle-radius": ["interpolate", ["linear"], ["zoom"], 9, 2, 14, 5.5], "circle-stroke-color": ground.halo, "circle-stroke-width": 1.2 },
    },
    {
      id: `context-${id}-name`, type: "symbol", source: `lab-${id}`, minzoom: 13,
      layout: { "text-field": ["get", "name"], "text-font": FONT, "text-size": 11, "text-anchor": "top", "text-offset": [0, 0.7], "text-max-width": 8 },
      paint: { "text-color": ground.label, "text-halo-color": ground.halo, "text-halo-width": 1.4 },
    },
  ];
}

/** Layers that show something above the coloured places, without numbers. */
export function contextLayers(layer) {
  if (layer.kind === "water") return waterLayers(layer.id);
  return layer.kind === "landmark" ? landmarkLayers(layer.id) : outlineLayers(layer);
}

export function labelLayer(id, rank, places) {
  const ground = GROUND[scheme()];
  return {
    id: `label-${id}`, type: "symbol", source: `lab-${id}`, minzoom: rank && places > 100 ? (places > 1000 ? 13.2 : 12) : 0,
    layout: {
      "text-field": ["get", "name"], "text-font": FONT, "text-size": ["interpolate", ["linear"], ["zoom"], 10, rank ? 10 : 13, 14, rank ? 13 : 17],
      "text-max-width": 7, "text-padding": 4, "text-letter-spacing": 0.06, "symbol-sort-key": rank,
    },
    paint: { "text-color": ground.label, "text-halo-color": ground.halo, "text-halo-width": 1.6, "text-halo-blur": 0.4 },
  };
}

export const markLayers = () => {
  const ground = GROUND[scheme()];
  return [
    { id: "hover", type: "line", source: "hover", paint: { "line-color": ground.hover, "line-width": 1.8 } },
    { id: "picked-casing", type: "line", source: "picked", paint: { "line-color": ground.halo, "line-width": 6, "line-opacity": 0.9 } },
    { id: "picked", type: "line", source: "picked", paint: { "line-color": ground.picked, "line-width": 3 } },
  ];
};

/** Paint properties that follow the colour scheme, by layer id. */
export function repaint(map) {
  const ground = GROUND[scheme()];
  const set = (id, property, value) => map.getLayer(id) && map.setPaintProperty(id, property, value);
  set("space", "background-color", ground.space);
  set("land", "fill-color", ground.land);
  set("hover", "line-color", ground.hover);
  set("picked", "line-color", ground.picked);
  set("picked-casing", "line-color", ground.halo);
  for (const { id } of map.getStyle().layers) {
    if (id.startsWith("edge-")) set(id, "line-color", ground.edge);
    else if (id.startsWith("label-")) {
      set(id, "text-color", ground.label);
      set(id, "text-halo-color", ground.halo);
    } else if (id.startsWith("context-water") && id.endsWith("-fill")) set(id, "fill-color", ground.waterFill);
    else if (id.startsWith("context-water")) set(id, "line-color", ground.water);
    else if (id.startsWith("context-landmark") && id.endsWith("-dot")) {
      set(id, "circle-color", ground.landmark);
      set(id, "circle-stroke-color", ground.halo);
    } else if (id.startsWith("context-landmark")) {
      set(id, "text-color", ground.label);
      set(id, "text-halo-color", ground.halo);
    } else if (id.startsWith("context-overlay")) set(id, "line-color", ground.overlay);
    else if (id.startsWith("context-")) set(id, "line-color", ground.outline);
  }
  if (map.hasImage("hatch")) map.updateImage("hatch", hatchImage());
}
