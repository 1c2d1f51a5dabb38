// The places of one layer: all shapes at once, or tiles of which only those in sight are fetched.
import { archive } from "./archives.js";
import { decode } from "./shapes.js";

/** The name of the layer within the tiles, as `cloudmap.geo.tiles` writes it. */
const TILE_LAYER = "places";
const KEPT = 64;

export async function getJson(url) {
  const answer = await fetch(url, { credentials: "same-origin" });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.json();
}

/** Answers that are asked for again and again, the newest few of them. */
class Recent {
  constructor() {
    this.answers = new Map();
  }

  get(url) {
    if (!this.answers.has(url)) {
      if (this.answers.size >= KEPT) this.answers.delete(this.answers.keys().next().value);
      this.answers.set(url, getJson(url).catch(() => null));
    }
    return this.answers.get(url);
  }
}

/** Every shape of a layer, in the order of its values. */
class WholeGround {
  constructor(layer, decoded) {
    const cells = layer.kind === "cell";
    Object.assign(this, decoded);
    this.source = { type: "geojson", data: decoded.shapes, tolerance: cells ? 0 : 0.2, buffer: cells ? 8 : 64, maxzoom: cells ? 12 : 14 };
    this.part = {};
    this.recent = new Recent();
  }

  /** The shape of a place, undefined where there is none. */
  async shape(place) {
    return this.features[this.index.get(place)];
  }

  async centre(place) {
    return this.labels.features[this.index.get(place)].geometry.coordinates;
  }

  /** What a drawn feature stands for. */
  of({ id }) {
    return { id, place: this.places[id], shape: this.features[id] };
  }

  /** The name of a place, and the numbers of a map with the row in which its own stand. */
  async told({ id }, url) {
    return { name: this.names[id], numbers: await this.recent.get(url), at: id };
  }
}

/** Tiles: a drawn feature brings its place; the rest is asked for place by place. */
class TiledGround {
  constructor(layer, spelling) {
    this.shapes = layer.url.replace("/map/geometry/", "/map/shape/");
    this.spelling = spelling;
    this.source = { type: "vector", url: archive(layer.tiles), promoteId: "i" };
    this.part = { "source-layer": TILE_LAYER };
    this.tiled = true;
    this.recent = new Recent();
  }

  async one(place) {
    const packed = place ? await this.recent.get(`${this.shapes}/${place}`) : null;
    return packed ? decode(structuredClone(packed), this.spelling) : null;
  }

  async shape(place) {
    return (await this.one(place))?.features[0];
  }

  async centre(place) {
    return (await this.one(place)).labels.features[0].geometry.coordinates;
  }

  of({ properties, geometry }) {
    return { id: properties.i, place: properties.place, shape: { type: "Feature", properties: {}, geometry } };
  }

  async told({ place }, url) {
    const [numbers, one] = await Promise.all([this.recent.get(`${url}&only=${place}`), this.one(place)]);
    return { name: one?.names[0] ?? place, numbers, at: 0 };
  }
}

/** Prepare the places of a layer. */
export async function groundOf(layer, spelling) {
  return layer.tiles ? new TiledGround(layer, spelling) : new WholeGround(layer, decode(await getJson(layer.url), spelling));
}

/**
 * Give the codes of a tiled layer to the cells in sight, now and as tiles arrive. A map goes through all states that it was told for every new
 * tile: hundreds of thousands would hold it for half a minute at each move.
 */
export function inSight(map, source, sourceLayer, codes) {
  map.cmSight ??= new Map();
  const known = map.cmSight.get(source);
  const sight = known ?? { told: new Map() };
  Object.assign(sight, { codes });
  if (!known) {
    map.cmSight.set(source, sight);
    const tell = () => {
      sight.waiting = false;
      for (const { id } of map.querySourceFeatures(source, { sourceLayer })) {
        if (sight.told.get(id) === sight.codes[id]) continue;
        sight.told.set(id, sight.codes[id]);
        map.setFeatureState({ source, sourceLayer, id }, { c: sight.codes[id] });
      }
    };
    sight.tell = tell;
    map.on("sourcedata", ({ sourceId, tile }) => {
      if (sourceId !== source || !tile || sight.waiting) return;
      sight.waiting = true;
      setTimeout(tell);
    });
  } else {
    // What is out of sight is told again when it comes back.
    map.removeFeatureState({ source, sourceLayer });
    sight.told.clear();
  }
  sight.tell();
  return codes;
}

/** The finest layer of cells that can be told apart at a zoom, the coarsest where none can. */
export function cellsFor(layers, zoom) {
  const cells = layers.filter((one) => one.kind === "cell").sort((a, b) => a.from - b.from);
  return cells.filter((one) => one.from <= zoom).at(-1) ?? cells[0];
}

/** The address of a map's numbers for another layer than its own. */
export function elsewhere(url, layer) {
  const [path, query] = url.split("?");
  const fields = new URLSearchParams(query);
  fields.set("layer", layer.id);
  fields.set("version", layer.url.split("/").at(-1));
  return `${path}?${fields}`;
}
