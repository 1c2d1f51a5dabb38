// Layers of the map and how they are painted, from the ground up. `slot-…` layers draw nothing; they mark heights to insert below.
import { FONT, GROUND, paints, PATTERNS, patternImage, scheme } from "./palette.js";

const WIDTH = { district: 2.6, street: 1.8, community: 1.1, village: 1.1, grid: 0.8, microgrid: 0.5 };

const slot = (id) => ({ id: `slot-${id}`, type: "background", layout: { visibility: "none" } });

export function emptyStyle() {
  return {
    version: 8,
    sources: {},
    layers: [
      { id: "space", type: "background", paint: { "background-color": GROUND[scheme()].space } },
      ...["ground", "base", "fill", "water", "outline", "marks", "base-names", "label"].map(slot),
    ],
  };
}

const byCode = (rows, pick, otherwise) => ["match", ["coalesce", ["feature-state", "c"], 0], ...rows.flatMap((row, code) => (code ? [code, pick(row, code)] : [])), otherwise];

export const fillColour = (styles) => byCode(paints(styles), (row) => row.colour, paints(styles)[0].colour);

/** The patterns that a map needs, and how much each shows at a place. */
export const patternsOf = (styles, codes) => {
  const met = new Set(codes);
  return new Set(paints(styles).filter((row, code) => row.pattern && met.has(code)).map((row) => row.pattern));
};
export const patternOpacity = (styles, name) => byCode(paints(styles), (row) => (row.pattern === name ? 0.85 : 0), 0);

export function addPatterns(map) {
  for (const name of Object.keys(PATTERNS)) {
    if (map.hasImage(name)) map.updateImage(name, patternImage(name));
    else map.addImage(name, patternImage(name));
  }
}

export const landLayer = (source) => ({ id: "land", type: "fill", source, paint: { "fill-color": GROUND[scheme()].land } });

const polygons = ["in", ["geometry-type"], ["literal", ["Polygon", "MultiPolygon"]]];
const VALUE_WIDTH = ["interpolate", ["linear"], ["zoom"], 9, 3, 12, 6, 15, 12];

/** Layers that paint the values of places: areas, or lines with a casing for reaches. */
export function valueLayers(id, kind) {
  const source = `src-${id}`;
  const cells = kind === "cell";
  const fill = { id: `fill-${id}`, type: "fill", source, filter: polygons, paint: { "fill-opacity": 0.9, "fill-antialias": !cells } };
  if (kind === "water") {
    const round = { "line-cap": "round", "line-join": "round" };
    return [
      fill,
      { id: `edge-${id}`, type: "line", source, layout: round, paint: { "line-color": GROUND[scheme()].outline, "line-width": ["interpolate", ["linear"], ["zoom"], 9, 4.5, 12, 8, 15, 14.5], "line-opacity": 0.75 } },
      { id: `line-${id}`, type: "line", source, layout: round, paint: { "line-width": VALUE_WIDTH } },
    ];
  }
  return [
    fill,
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

export const patternLayer = (id, name) => ({ id: `pattern-${name}-${id}`, type: "fill", source: `src-${id}`, filter: polygons, paint: { "fill-pattern": name, "fill-opacity": 0 } });

function waterLayers(id) {
  const ground = GROUND[scheme()];
  const source = `src-${id}`;
  return [
    { id: `context-${id}-fill`, type: "fill", source, filter: polygons, paint: { "fill-color": ground.waterFill, "fill-opacity": 0.75 } },
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

const FADES = { fill: ["fill-opacity"], line: ["line-opacity"], circle: ["circle-opacity", "circle-stroke-opacity"], symbol: ["text-opacity"] };

/** Let a layer shine through: its usual opacity times a share. */
export function fade(map, part, share) {
  for (const property of FADES[part.type] ?? []) map.setPaintProperty(part.id, property, (part.paint[property] ?? 1) * share);
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
    if (id.startsWith("edge-water")) set(id, "line-color", ground.outline);
    else if (id.startsWith("edge-")) set(id, "line-color", ground.edge);
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
  addPatterns(map);
}
