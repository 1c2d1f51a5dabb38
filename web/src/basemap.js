// The base map beneath the data: tiles of a PMTiles file of this server, or of 天地图 where the city asked for it. Drawn quietly: the ground
// below the coloured places, roads and names faintly above them, so that neither hides the other.
// Boundaries and names of countries and provinces are never drawn: how they may be shown is a matter of law, not of whoever made the file.
import { archive } from "./archives.js";
import { element } from "./chrome.js";
import { FONT, GROUND, scheme } from "./palette.js";

const SOURCE = "base";
/** How much of the colours of places is left while a base map lies beneath them. */
const CLEAR = 0.72;

const INK = {
  light: { water: "#bcd9ee", green: "#d3e6c8", land: "#efece4", building: "#ddd7cb", road: "#8f8a80", lane: "#bdb8ae", rail: "#a9a49b", name: "#4b505b", waterName: "#2f6a98" },
  dark: { water: "#17395c", green: "#18332c", land: "#18223a", building: "#26334e", road: "#7f8fae", lane: "#46546f", rail: "#55627d", name: "#c9d4e8", waterName: "#7db4e0" },
};

/** What the layers of the usual schemas show (Protomaps, OpenMapTiles, Shortbread, and `cloudmap basemap`); null for what is left out. */
const ROLES = {
  base: "own",
  earth: null, boundaries: null, boundary: null, boundary_labels: null, pois: null, poi: null, housenumber: null, addresses: null, transit: null,
  mountain_peak: null, aerodrome_label: null, public_transport: null, street_polygons: null, streets_polygons_labels: null, sites: null,
  water: "water", waterway: "water", ocean: "water", water_polygons: "water", water_lines: "water",
  landuse: "land", landcover: "land", land: "land", natural: "land", park: "green",
  buildings: "building", building: "building",
  roads: "road", transportation: "road", streets: "road",
  places: "place", place: "place", place_labels: "place",
  transportation_name: "road-name", street_labels: "road-name", water_name: "water-name", water_polygons_labels: "water-name", water_lines_labels: "water-name",
};
/** Further names that some schemas keep within a drawn layer. */
const NAMED = { roads: "road-name", water: "water-name" };

const GREEN = ["park", "forest", "wood", "grass", "grassland", "meadow", "scrub", "nature_reserve", "garden", "recreation_ground", "golf_course", "cemetery", "orchard", "farmland", "village_green", "绿地", "公园", "林地"];
const LARGE = ["highway", "motorway", "trunk", "高速", "国道", "快速路"];
const MIDDLE = ["major_road", "primary", "secondary", "省道", "主干道", "主干路"];
const SMALL = ["path", "footway", "pedestrian", "track", "service", "cycleway", "steps", "other"];
const RAIL = ["rail", "railway", "light_rail", "subway", "tram", "铁路"];
const WIDE_PLACES = ["country", "region", "state", "province", "continent", "ocean", "sea"];

const kind = ["to-string", ["coalesce", ["get", "class"], ["get", "kind"], ["get", "pmap:kind"], ["get", "fclass"], ["get", "highway"], ""]];
const among = (values) => ["in", kind, ["literal", values]];
const is = (type) => ["in", ["geometry-type"], ["literal", [type, `Multi${type}`]]];
const own = (role) => ["==", ["get", "kind"], role];
const zoomed = (...stops) => ["interpolate", ["exponential", 1.5], ["zoom"], ...stops];

const LANGUAGES = {
  "zh-Hans": ["name:zh-Hans", "name_zh_hans", "name:zh", "name_zh"],
  "zh-Hant": ["name:zh-Hant", "name_zh_hant", "name:zh", "name_zh", "name:zh-Hans"],
  en: ["name:en", "name_en", "name:latin", "name_int"],
};
const nameIn = (language) => ["coalesce", ...[...LANGUAGES[language], "name"].map((field) => ["get", field])];

const roadWidth = (share) => zoomed(9, ["match", kind, LARGE, 0.8 * share, MIDDLE, 0.45 * share, 0.1 * share], 13, ["match", kind, LARGE, 2.6 * share, MIDDLE, 1.9 * share, SMALL, 0.4 * share, 0.9 * share], 17, ["match", kind, LARGE, 9 * share, MIDDLE, 7.5 * share, SMALL, 1.6 * share, 4.5 * share]);

/** Layers of one layer of the tiles: [name, slot, layer]. */
const DRAWN = {
  water: (ink, filter) => [
    ["water", "ground", { type: "fill", filter: ["all", filter, is("Polygon")], paint: { "fill-color": ink.water } }],
    ["water-line", "ground", { type: "line", filter: ["all", filter, is("LineString")], paint: { "line-color": ink.water, "line-width": zoomed(9, 0.6, 15, 4) } }],
  ],
  green: (ink, filter) => [["green", "ground", { type: "fill", filter: ["all", filter, is("Polygon")], paint: { "fill-color": ink.green } }]],
  land: (ink, filter) => [["green", "ground", { type: "fill", filter: ["all", filter, is("Polygon"), among(GREEN)], paint: { "fill-color": ink.green } }]],
  building: (ink, filter) => [["building", "ground", { type: "fill", minzoom: 13, filter: ["all", filter, is("Polygon")], paint: { "fill-color": ink.building, "fill-opacity": zoomed(13, 0.3, 15, 0.8) } }]],
  road: (ink, filter) => [
    ["rail", "above", { type: "line", minzoom: 11, filter: ["all", filter, is("LineString"), among(RAIL)], paint: { "line-color": ink.rail, "line-opacity": 0.7, "line-width": 1.2, "line-dasharray": [4, 2] } }],
    ["road", "above", { type: "line", filter: ["all", filter, is("LineString"), ["!", among(RAIL)]], layout: { "line-cap": "round", "line-join": "round" }, paint: { "line-color": ["match", kind, [...LARGE, ...MIDDLE], ink.road, ink.lane], "line-opacity": 0.55, "line-width": roadWidth(1) } }],
  ],
  "road-name": (ink, filter, language) => [["road-name", "names", { type: "symbol", minzoom: 13, filter: ["all", filter, is("LineString")], layout: { ...text(language, zoomed(13, 10, 17, 13)), "symbol-placement": "line", "symbol-spacing": 360 }, paint: inked(ink.name) }]],
  "water-name": (ink, filter, language) => [["water-name", "names", { type: "symbol", minzoom: 11, filter: ["all", filter, is("Point")], layout: text(language, 11.5), paint: inked(ink.waterName) }]],
  place: (ink, filter, language) => [["place", "names", { type: "symbol", minzoom: 10, filter: ["all", filter, is("Point"), ["!", among(WIDE_PLACES)]], layout: { ...text(language, zoomed(10, 11, 15, 14)), "text-max-width": 8 }, paint: inked(ink.name) }]],
  plain: (ink, filter, language) => [
    ["plain-fill", "ground", { type: "fill", filter: ["all", filter, is("Polygon")], paint: { "fill-color": ink.land, "fill-outline-color": ink.building } }],
    ["plain-line", "above", { type: "line", filter: ["all", filter, is("LineString")], paint: { "line-color": ink.lane, "line-opacity": 0.55, "line-width": zoomed(9, 0.3, 15, 1.8) } }],
    ["plain-name", "names", { type: "symbol", minzoom: 12, filter: ["all", filter, is("Point")], layout: text(language, 11.5), paint: inked(ink.name) }],
  ],
};
const OWN = { land: "plain", green: "green", water: "water", buildings: "building", roads: "road", places: "place" };

function text(language, size) {
  return { "text-field": nameIn(language), "text-font": FONT, "text-size": size, "text-padding": 6 };
}

function inked(colour) {
  return { "text-color": colour, "text-halo-color": GROUND[scheme()].halo, "text-halo-width": 1.5, "text-halo-blur": 0.3, "text-opacity": 0.95 };
}

/** The layers that draw one layer of vector tiles. */
function drawn(layer, language) {
  const ink = INK[scheme()];
  const at = (role, filter) => DRAWN[role](ink, filter, language);
  const role = layer in ROLES ? ROLES[layer] : "plain";
  if (!role) return [];
  if (role !== "own") return [...at(role, true), ...(NAMED[layer] ? at(NAMED[layer], true) : [])];
  const known = ["in", ["to-string", ["get", "kind"]], ["literal", Object.keys(OWN)]];
  const parts = Object.entries(OWN).flatMap(([name, one]) => at(one, own(name)).map(([part, ...rest]) => [`${name}-${part}`, ...rest]));
  return [...at("plain", ["!", known]), ...parts, ...at("road-name", own("roads")), ...at("water-name", own("water"))];
}

/** Grounds of all layers come before roads, roads before names. */
const ORDER = ["plain-fill", "green", "water", "water-line", "building", "plain-line", "rail", "road", "plain-name", "road-name", "water-name", "place"];
const rank = ([part]) => ORDER.findIndex((one) => part.endsWith(one));
const SLOTS = { ground: "slot-base", above: "slot-outline", names: "slot-base-names" };

function vectorLayers(spec, language) {
  const all = spec.layers.flatMap((layer) => drawn(layer, language).map(([part, slot, one]) => [part, SLOTS[slot], { ...one, id: `base-${layer}-${part}`, source: SOURCE, "source-layer": layer }]));
  return all.sort((a, b) => rank(a) - rank(b)).map(([, slot, one]) => [slot, one]);
}

/** Pictures cannot be drawn anew for the dark: they are dimmed. */
function rasterPaint() {
  return scheme() === "dark"
    ? { "raster-brightness-max": 0.42, "raster-saturation": -0.55, "raster-contrast": -0.1, "raster-opacity": 0.85, "raster-fade-duration": 0 }
    : { "raster-brightness-max": 1, "raster-saturation": -0.35, "raster-contrast": -0.1, "raster-opacity": 0.8, "raster-fade-duration": 0 };
}

const raster = (source) => ["slot-base", { id: `base-${source}`, type: "raster", source, paint: rasterPaint() }];

const FADES = { fill: "fill-opacity", line: "line-opacity", symbol: "text-opacity", raster: "raster-opacity" };

export class Basemap {
  /**
   * @param {Object|null} spec what the server tells of the base map; null where the city has none
   * @param {string} language
   */
  constructor(spec, language) {
    this.spec = spec;
    this.language = language;
    this.shown = false;
    this.note = element("div", "maplibregl-ctrl cm-map-credit");
    this.note.hidden = true;
  }

  /** The line that names the makers of the base map, as a control of the map. */
  get control() {
    return { onAdd: () => this.note, onRemove: () => this.note.remove() };
  }

  /** Whom a picture of the map must name. */
  get credits() {
    return this.shown && this.spec.credit ? [this.spec.credit] : [];
  }

  /** How much of the colours of places shows. */
  get share() {
    return this.shown ? CLEAR : 1;
  }

  /** Draw the base map of a view, or hide it. */
  draw(map, view) {
    if (!this.spec) return;
    const asked = view.shown.map((one) => one.split("~")).find(([id]) => id === SOURCE);
    this.shown = Boolean(asked);
    this.say();
    this.note.closest(".cm-map")?.style.setProperty("--cm-clear", view.layer.startsWith("water") ? 1 : this.share);
    if (!asked && !this.has(map)) return;
    if (!this.has(map)) this.add(map);
    for (const [, layer] of this.layers()) {
      map.setLayoutProperty(layer.id, "visibility", asked ? "visible" : "none");
      if (asked) this.paint(map, layer, Number(asked[1] ?? 100) / 100);
    }
    this.opacity = Number(asked?.[1] ?? 100) / 100;
  }

  /** Colours anew, after the page turned dark or light. */
  repaint(map) {
    if (!this.spec || !this.has(map)) return;
    for (const [, layer] of this.layers()) this.paint(map, layer, this.opacity ?? 1);
  }

  paint(map, layer, share) {
    const faded = FADES[layer.type];
    for (const [property, value] of Object.entries(layer.paint)) if (property !== faded) map.setPaintProperty(layer.id, property, value);
    map.setPaintProperty(layer.id, faded, times(layer.paint[faded] ?? 1, share));
  }

  owns(source) {
    return source === SOURCE || source === "base-names";
  }

  has(map) {
    return Boolean(map.getSource(SOURCE));
  }

  layers() {
    const { kind: what } = this.spec;
    if (what === "vector") return vectorLayers(this.spec, this.language);
    return what === "online" ? [raster(SOURCE), raster("base-names")] : [raster(SOURCE)];
  }

  add(map) {
    const { kind: what, url, tiles, zooms } = this.spec;
    if (what === "vector") map.addSource(SOURCE, { type: "vector", url: archive(url) });
    if (what === "raster") map.addSource(SOURCE, { type: "raster", url: archive(url), tileSize: 256, maxzoom: zooms[1] });
    if (what === "online") {
      map.addSource(SOURCE, { type: "raster", tiles: tiles[0], tileSize: 256, minzoom: 1, maxzoom: 18 });
      map.addSource("base-names", { type: "raster", tiles: tiles[1], tileSize: 256, minzoom: 1, maxzoom: 18 });
    }
    for (const [slot, layer] of this.layers()) map.addLayer(layer, slot);
    map.on("error", ({ sourceId }) => {
      if (this.owns(sourceId)) this.say(this.spec.failed);
    });
  }

  /** What is on the screen of it, for tests. */
  state(map) {
    const layers = this.spec && this.has(map) ? this.layers().map(([, layer]) => layer).filter(({ id }) => map.getLayoutProperty(id, "visibility") !== "none") : [];
    const features = layers.length ? map.queryRenderedFeatures({ layers: layers.map(({ id }) => id) }) : [];
    const names = features.filter(({ layer }) => layer.type === "symbol").map(({ layer }) => layer.layout["text-field"].toString());
    const water = layers.find(({ id }) => id.endsWith("-water"));
    return { drawn: features.length, names, kinds: [...new Set(layers.map(({ type }) => type))], water: water ? map.getPaintProperty(water.id, "fill-color") : null };
  }

  say(trouble) {
    this.note.textContent = trouble ?? this.spec.credit;
    this.note.hidden = !this.shown || !this.note.textContent;
  }
}

/** A share of a number, or of every result of an interpolation. */
function times(value, share) {
  if (typeof value === "number") return value * share;
  return value.map((one, at) => (at > 3 && at % 2 === 0 ? one * share : one));
}
