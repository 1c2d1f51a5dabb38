// The map component: geometry once per version, one byte a place per view, colour through feature state.
import * as maplibregl from "maplibre-gl";
import { Basemap } from "./basemap.js";
import { Chrome, ROOM_FOR_LEGEND } from "./chrome.js";
import { cellsFor, elsewhere, getJson, groundOf, inSight } from "./ground.js";
import { bytes, none } from "./shapes.js";
import { drawHeat, drawPoints, pointAt } from "./extras.js";
import { PATTERNS } from "./palette.js";
import { save } from "./save.js";
import { Swipe } from "./swipe.js";
import { Timeline } from "./timeline.js";
import * as style from "./style.js";

const VALUE_PARTS = ["fill", "edge", "line"];
const PATTERN_PARTS = Object.keys(PATTERNS).map((name) => `pattern-${name}`);

const root = document.documentElement;

export class CloudMap {
  /**
   * @param {HTMLElement} container
   * @param {Object} config what the server tells of layers, periods, words and bounds
   * @param {{pick: (place: string|null) => void, period: (id: string) => void, layer: (id: string) => void}} on what is chosen on the map
   */
  constructor(container, config, on) {
    this.config = config;
    this.onPick = on.pick;
    this.onLayer = on.layer;
    this.layers = new Map(config.layers.map((layer) => [layer.id, layer]));
    this.geometry = new Map();
    this.painted = new Map();
    this.turn = 0;
    const canvas = document.createElement("div");
    canvas.className = "cm-map-canvas";
    container.replaceChildren(canvas);
    this.container = container;
    this.chrome = new Chrome(container, config.words);
    this.basemap = new Basemap(config.basemap, config.lang);
    this.timeline = new Timeline(container, config, on.period);
    maplibregl.setWorkerUrl(config.worker);
    this.map = new maplibregl.Map({
      container: canvas, style: style.emptyStyle(), bounds: config.bounds,
      attributionControl: false, trackResize: false, dragRotate: false, pitchWithRotate: false, touchPitch: false, maxPitch: 0, renderWorldCopies: false,
      fadeDuration: 0, locale: config.locale, maxZoom: 18, refreshExpiredTiles: false, localIdeographFontFamily: "'Noto Sans CJK SC','PingFang SC','Microsoft YaHei',sans-serif",
    });
    this.map.on("error", ({ sourceId, error }) => {
      if (!this.basemap.owns(sourceId)) console.error(`${sourceId ?? "map"}: ${error?.message}`);
    });
    this.map.touchZoomRotate.disableRotation();
    this.map.keyboard.disableRotation();
    this.map.addControl(new maplibregl.NavigationControl({ showCompass: false }), "top-right");
    this.map.addControl(new maplibregl.FullscreenControl({ container }), "top-right");
    this.map.addControl(this.tools(), "top-right");
    this.map.addControl(new maplibregl.ScaleControl({ unit: "metric", maxWidth: 120 }), "bottom-right");
    this.map.addControl(this.basemap.control, "bottom-right");
    this.loaded = new Promise((resolve) => { this.map.once("load", resolve); });
    this.loaded.then(() => this.prepare());
    this.frame();
    this.listen(canvas);
    // MapLibre leaves out the first change of size, which is the one that comes when the page's style arrives after the map.
    this.sizes = new ResizeObserver(() => {
      this.map.resize();
      if (!this.moved) this.frame();
    });
    this.sizes.observe(canvas);
  }

  /** Fit the city, beside or above the legend where that costs little size. */
  frame() {
    const wide = this.container.clientWidth >= ROOM_FOR_LEGEND;
    const padding = wide ? { top: 100, bottom: 92, left: 48, right: 64 } : { top: 92, bottom: 104, left: 16, right: 16 };
    const fit = (one) => this.map.cameraForBounds(this.config.bounds, { padding: one });
    const clear = wide ? [{ ...padding, bottom: 410 }, { ...padding, left: 276 }].map(fit).sort((a, b) => b.zoom - a.zoom)[0] : null;
    const whole = fit(padding);
    this.map.jumpTo(clear && clear.zoom > whole.zoom - 0.6 ? clear : whole);
  }

  /** Buttons of the map beside zoom and full screen: save as a picture; and where north is. */
  tools() {
    const group = document.createElement("div");
    group.className = "maplibregl-ctrl maplibregl-ctrl-group cm-map-tools";
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "cm-map-save", title: this.config.words["map.save"] });
    button.setAttribute("aria-label", this.config.words["map.save"]);
    button.addEventListener("click", () => this.save());
    const north = document.createElement("div");
    Object.assign(north, { className: "cm-map-north", title: this.config.words["map.north"] });
    north.setAttribute("role", "img");
    north.setAttribute("aria-label", this.config.words["map.north"]);
    group.append(button, north);
    return { onAdd: () => group, onRemove: () => group.remove() };
  }

  save() {
    if (!this.values) return;
    const about = [...document.querySelectorAll(".cm-header .cm-badge")].map((one) => one.textContent).concat(this.basemap.credits);
    const maps = this.swipe ? [{ map: this.map, from: this.swipe.x }, { map: this.twin, until: this.swipe.x }] : [{ map: this.map }];
    save(maps, this.values, about, `${this.view.key.split("|").slice(0, 4).join("_")}`);
  }

  prepare() {
    style.addPatterns(this.map);
    for (const id of ["hover", "picked"]) this.map.addSource(id, { type: "geojson", data: none });
    for (const layer of style.markLayers()) this.map.addLayer(layer, "slot-marks");
    this.rescheme();
    this.observer = new MutationObserver(() => this.rescheme());
    this.observer.observe(root, { attributes: true, attributeFilter: ["data-mantine-color-scheme"] });
  }

  listen(canvas) {
    this.map.on("mousemove", (event) => this.hover(event.point));
    this.map.on("mouseout", () => this.hover(null));
    this.map.on("movestart", (event) => {
      this.hover(null);
      if (event.originalEvent) this.moved = true;
    });
    this.map.on("click", (event) => this.pick(event.point));
    this.map.on("zoomend", () => this.follow());
    // Keyboard: arrows move, plus and minus zoom (MapLibre's own), Enter takes the place under the cross in the middle.
    canvas.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.pick(this.map.project(this.map.getCenter()));
      if (event.key === "Escape") this.onPick(null);
    });
  }

  /** Fetch and add the geometry of a layer, once. */
  need(id) {
    if (!this.geometry.has(id)) {
      const layer = this.layers.get(id);
      this.geometry.set(id, Promise.all([groundOf(layer, this.config.spelling), this.loaded]).then(([ground]) => {
        this.map.addSource(`src-${id}`, ground.source);
        if (layer.kind !== "cell") this.map.addSource(`lab-${id}`, { type: "geojson", data: ground.labels });
        return ground;
      }).catch((error) => {
        this.geometry.delete(id);
        throw error;
      }));
    }
    return this.geometry.get(id);
  }

  /** Draw a view; the promise ends when it is on the screen, `drawn` is called once it is, or cannot be. A newer call overtakes an older one. */
  async show(view, drawn = () => {}) {
    this.turn += 1;
    const turn = this.turn;
    delete root.dataset.ready;
    const before = this.view;
    this.view = view;
    if (this.fitted(view, before)) return;
    this.chrome.busy(true);
    this.chrome.hideCard();
    try {
      const reaches = this.layers.get(view.layer).kind === "water";
      const wanted = view.shown.map((one) => one.split("~")[0]).filter((id) => this.layers.has(id) && !(reaches && this.layers.get(id).kind === "water"));
      this.timeline.show(view).catch(() => {});
      const base = this.config.base;
      await this.loaded;
      const [values] = await Promise.all([getJson(view.values), ...[view.layer, base, ...wanted].filter(Boolean).map((id) => this.need(id))]);
      if (turn !== this.turn) return;
      if (values.stale) {
        window.location.reload();
        return;
      }
      await this.draw(view, values, wanted);
      if (turn !== this.turn) return;
      this.chrome.say(values.message, null, values.way);
      await Promise.all([this.extras(view, values), this.beside(view)]);
      if (turn !== this.turn) return;
      await this.settled();
      if (turn !== this.turn) return;
      root.dataset.ready = view.key;
      drawn();
    } catch (error) {
      if (turn !== this.turn) return;
      console.warn(`map: ${error.message}`);
      this.chrome.say(this.config.words["map.failed"], () => this.show(view));
      drawn();
      root.dataset.failed = view.key;
    } finally {
      if (turn === this.turn) this.chrome.busy(false);
    }
  }

  settled() {
    return new Promise((resolve) => {
      this.map.once("idle", resolve);
      this.map.triggerRepaint();
    });
  }

  /** Where the resolution of cells follows the zoom: show a coarser layer, or come nearer to the finer one that was chosen. */
  fitted(view, before) {
    const layer = this.layers.get(view.layer);
    const { cells } = this;
    if (!view.auto || layer.kind !== "cell" || cells.id === view.layer || (view.place && !layer.tiles)) return false;
    const chosen = view.place || (before && before.layer !== view.layer && view.layer !== this.followed);
    if (chosen && layer.from > this.map.getZoom()) {
      this.moved = true;
      this.nearTo(view, layer.from + 0.3);
      return false;
    }
    if (chosen) return false;
    return this.follow();
  }

  /** The layer of cells that suits the zoom. */
  get cells() {
    return cellsFor(this.config.layers, this.map.getZoom());
  }

  /** Ask for the cells that suit the zoom, unless a place is open whose layer can still be drawn. */
  follow() {
    const { view } = this;
    const layer = view && this.layers.get(view.layer);
    if (!view?.auto || layer.kind !== "cell" || (view.place && layer.from <= this.map.getZoom())) return false;
    const { cells } = this;
    if (cells.id === view.layer) return false;
    this.followed = cells.id;
    // Not within the callback that shows a view: the page must first have ended with that one.
    setTimeout(() => this.view === view && this.onLayer(cells.id));
    return true;
  }

  async nearTo(view, zoom) {
    this.map.jumpTo({ zoom });
    if (!view.place) return;
    const ground = await this.need(view.layer);
    this.map.jumpTo({ center: await ground.centre(view.place), zoom });
  }

  async draw(view, values, wanted) {
    if (this.config.base && !this.map.getLayer("land")) this.map.addLayer(style.landLayer(`src-${this.config.base}`), "slot-ground");
    this.values = values;
    await this.colour(view.layer, values);
    this.context(view, wanted);
    this.chrome.drawTitle(values);
    this.chrome.drawLegend(values);
    this.mark(view.place);
    this.enter(view.within);
  }

  /** Heat surface and single reports, where they are asked for. */
  async extras(view, values) {
    const heat = view.shown.includes("heat") && this.layers.get(view.layer).kind !== "water";
    // A surface needs all centres: from the finest cells that come whole.
    const whole = this.layers.get(view.layer).tiles ? this.config.layers.filter((one) => one.kind === "cell" && !one.tiles).at(-1) : this.layers.get(view.layer);
    const numbers = heat && whole ? await getJson(whole.id === view.layer ? view.numbers : elsewhere(view.numbers, whole)).catch(() => null) : null;
    drawHeat(this.map, numbers ? await this.need(whole.id) : null, numbers, heat);
    const single = view.shown.includes("points");
    const answer = single ? await getJson(view.points).catch(() => ({ xy: [], names: [], at: [], message: this.config.words["points.refused"] })) : null;
    drawPoints(this.map, answer, single);
    if (answer?.message && !values.message) this.chrome.say(answer.message);
    const share = heat ? 0.15 : view.opacity / 100;
    this.map.setPaintProperty(`fill-${view.layer}`, "fill-opacity", share * this.basemap.share);
    if (this.map.getLayer(`line-${view.layer}`)) this.map.setPaintProperty(`line-${view.layer}`, "line-opacity", share);
  }

  /** The earlier period beside this one, where two are compared. */
  async beside(view) {
    if (!view.before) {
      this.swipe?.remove();
      this.twin?.remove();
      this.swipe = this.twin = this.twinLayer = null;
      return;
    }
    const { values, label, now } = view.before;
    const [earlier, ground] = await Promise.all([getJson(values), this.need(view.layer)]);
    if (!this.twin) {
      this.swipe = new Swipe(this.container, this.config.words);
      this.twin = new maplibregl.Map({ container: this.swipe.ground, style: style.emptyStyle(), interactive: false, attributionControl: false, fadeDuration: 0, trackResize: true, locale: this.config.locale });
      await new Promise((resolve) => { this.twin.once("load", resolve); });
      style.addPatterns(this.twin);
      for (const name of ["role", "aria-label", "tabindex"]) this.twin.getCanvas().removeAttribute(name);
      this.map.on("move", () => this.twin?.jumpTo({ center: this.map.getCenter(), zoom: this.map.getZoom() }));
    }
    this.swipe.name(label, now);
    this.twin.resize();
    this.twin.jumpTo({ center: this.map.getCenter(), zoom: this.map.getZoom() });
    const source = `src-${view.layer}`;
    if (!this.twin.getSource(source)) {
      this.twin.addSource(source, ground.source);
      for (const layer of style.valueLayers(view.layer, this.layers.get(view.layer).kind)) this.twin.addLayer({ ...layer, ...ground.part }, "slot-fill");
    }
    this.twinCodes = this.state(this.twin, view.layer, ground, bytes(earlier.codes), this.twinLayer === view.layer ? this.twinCodes : null);
    this.twinLayer = view.layer;
    const paint = style.fillColour(earlier.styles);
    for (const id of [...new Set([...this.twin.getStyle().layers.map((one) => one.id)])].filter((one) => /^(fill|edge)-/.test(one))) {
      this.twin.setLayoutProperty(id, "visibility", id.endsWith(`-${view.layer}`) ? "visible" : "none");
    }
    this.twin.setPaintProperty(`fill-${view.layer}`, "fill-color", paint);
    await this.ground();
    this.basemap.draw(this.twin, view);
    this.twin.setPaintProperty(`fill-${view.layer}`, "fill-opacity", (view.opacity / 100) * this.basemap.share);
    await this.outline(view);
    await new Promise((resolve) => { this.twin.once("idle", resolve); this.twin.triggerRepaint(); });
  }

  /** The same ground below the earlier map, so that equal colours look equal. */
  async ground() {
    if (!this.config.base || this.twin.getLayer("land")) return;
    const { source } = await this.need(this.config.base);
    this.twin.addSource("ctx-land", source);
    this.twin.addLayer(style.landLayer("ctx-land"), "slot-ground");
  }

  /** The outlines, waters and names that orient the eye also on the earlier map. */
  async outline(view) {
    const { named } = this.config;
    const shown = view.shown.map((one) => one.split("~")[0]);
    for (const id of shown.filter((one) => one === named || this.layers.get(one)?.kind === "water")) {
      const ground = await this.need(id);
      if (!this.twin || this.twin.getSource(`ctx-${id}`)) continue;
      const layer = this.layers.get(id);
      this.twin.addSource(`ctx-${id}`, ground.source);
      this.twin.addSource(`lab-${id}`, { type: "geojson", data: ground.labels });
      const slot = id === named ? "slot-outline" : "slot-water";
      for (const part of style.contextLayers(layer)) this.twin.addLayer(part.type === "symbol" ? part : { ...part, source: `ctx-${id}` }, slot);
      if (id === named && shown.includes("names")) this.twin.addLayer(style.labelLayer(id, 0, layer.n), "slot-label");
    }
  }

  /** Move to the unit that the map is drilled into; back to the whole city when it is left. */
  async enter(within) {
    if (within === this.within) return;
    const before = this.within;
    this.within = within;
    if (!within) {
      if (before) this.frame();
      return;
    }
    const [layer, unit] = within.split("~");
    const ground = await this.need(layer);
    const feature = ground.features[ground.index.get(unit)];
    if (!feature) return;
    const bounds = new maplibregl.LngLatBounds();
    for (const point of feature.geometry.coordinates.flat(2)) bounds.extend(point);
    this.moved = true;
    const wide = this.container.clientWidth >= ROOM_FOR_LEGEND;
    this.map.fitBounds(bounds, { padding: wide ? { top: 120, bottom: 100, left: 290, right: 80 } : { top: 100, bottom: 110, left: 16, right: 16 }, duration: 0 });
  }

  /** Give each place of a map its code; only what changed is told. */
  state(map, id, ground, codes, before) {
    if (ground.tiled) return inSight(map, `src-${id}`, ground.part["source-layer"], codes);
    const { part } = ground;
    const target = { source: `src-${id}`, sourceLayer: part["source-layer"] };
    for (let i = 0; i < codes.length; i += 1) {
      if (codes[i] !== (before?.[i] ?? 0)) map.setFeatureState({ ...target, id: i }, { c: codes[i] });
    }
    return codes;
  }

  async colour(id, values) {
    const { kind } = this.layers.get(id);
    const ground = await this.need(id);
    if (!this.map.getLayer(`fill-${id}`)) for (const layer of style.valueLayers(id, kind)) this.map.addLayer({ ...layer, ...ground.part }, "slot-fill");
    for (const other of this.painted.keys()) if (other !== id) this.toggle([...VALUE_PARTS, ...PATTERN_PARTS].map((part) => `${part}-${other}`), false);
    this.painted.set(id, { codes: this.state(this.map, id, ground, bytes(values.codes), this.painted.get(id)?.codes), part: ground.part });
    this.paint(id, values.styles);
    this.toggle(VALUE_PARTS.map((part) => `${part}-${id}`), true);
  }

  /** Give a layer its colours and patterns, which follow the classes through the state of each place. */
  paint(id, styles) {
    const colour = style.fillColour(styles);
    this.map.setPaintProperty(`fill-${id}`, "fill-color", colour);
    if (this.map.getLayer(`line-${id}`)) this.map.setPaintProperty(`line-${id}`, "line-color", colour);
    const needed = style.patternsOf(styles, this.painted.get(id).codes);
    for (const name of Object.keys(PATTERNS)) {
      const layer = `pattern-${name}-${id}`;
      if (needed.has(name) && !this.map.getLayer(layer)) this.map.addLayer({ ...style.patternLayer(id, name), ...this.painted.get(id).part }, `edge-${id}`);
      if (needed.has(name)) this.map.setPaintProperty(layer, "fill-opacity", style.patternOpacity(styles, name));
      this.toggle([layer], needed.has(name));
    }
  }

  toggle(ids, visible) {
    for (const id of ids) if (this.map.getLayer(id)) this.map.setLayoutProperty(id, "visibility", visible ? "visible" : "none");
  }

  context(view, wanted) {
    this.basemap.draw(this.map, view);
    for (const layer of this.layers.values()) {
      const on = wanted.includes(layer.id);
      if (layer.kind === "cell") continue;
      const parts = style.contextLayers(layer);
      const slot = layer.kind === "water" ? "slot-water" : "slot-outline";
      if (on) for (const part of parts) if (!this.map.getLayer(part.id)) this.map.addLayer(part, slot);
      this.toggle(parts.map((part) => part.id), on);
    }
    // From the lowest up, as they stand in the address.
    for (const one of view.shown) {
      const [id, percent] = one.split("~");
      if (!wanted.includes(id)) continue;
      for (const part of style.contextLayers(this.layers.get(id))) {
        this.map.moveLayer(part.id, "slot-marks");
        style.fade(this.map, part, percent ? Number(percent) / 100 : 1);
      }
    }
    const named = view.shown.includes("names") ? [...new Set([this.config.named, this.layers.get(view.layer).kind === "unit" ? view.layer : null])].filter(Boolean) : [];
    for (const id of this.layers.keys()) {
      const on = named.includes(id);
      if (on && this.map.getSource(`lab-${id}`) && !this.map.getLayer(`label-${id}`)) this.map.addLayer(style.labelLayer(id, id === this.config.named ? 0 : 1, this.layers.get(id).n), "slot-label");
      this.toggle([`label-${id}`], on);
    }
    if (named.length && this.config.named && !this.geometry.has(this.config.named)) {
      this.need(this.config.named).then(() => this.view && this.context(this.view, wanted));
    }
  }

  async mark(place) {
    const ground = await this.need(this.view.layer);
    const shape = place ? await ground.shape(place) : undefined;
    if (place === this.view.place) this.map.getSource("picked").setData(shape ?? none);
  }

  async hover(point) {
    const single = point && pointAt(this.map, point);
    if (single) {
      const { name, at, point_count: n } = single.properties;
      this.map.getCanvas().style.cursor = "pointer";
      this.hovered = null;
      this.map.getSource("hover")?.setData(none);
      this.chrome.showCard(point, n ? n.toLocaleString(this.config.lang) : name, at ? [at] : []);
      return;
    }
    const one = point ? await this.under(point) : null;
    this.map.getCanvas().style.cursor = one ? "pointer" : "";
    if (!one) {
      this.hovered = null;
      this.chrome.hideCard();
      this.map.getSource("hover")?.setData(none);
      return;
    }
    if (this.hovered !== one.id) this.map.getSource("hover").setData(one.shape);
    this.hovered = one.id;
    const { view } = this;
    const earlier = this.swipe && view.before && point.x < this.swipe.x;
    const ground = await this.need(view.layer);
    const { name, numbers, at } = await ground.told(one, earlier ? view.before.numbers : view.numbers);
    const period = this.swipe && view.before ? [earlier ? view.before.label : view.before.now] : [];
    if (view === this.view && this.hovered === one.id) this.chrome.showCard(point, name, [...period, ...this.lines(numbers, at, one.id)]);
  }

  /** The hover card's lines: the server's sentences, filled with the numbers of one place. */
  lines(numbers, id, place) {
    if (!numbers) return [];
    if (this.painted.get(this.view.layer).codes[place] === 1) return [numbers.masked];
    const shown = (value) => (typeof value === "number" ? value.toLocaleString(this.config.lang) : value ?? "—");
    const known = (line) => [...line.matchAll(/\{(\w+)\}/g)].every(([, name]) => (numbers.columns[name]?.[id] ?? null) !== null);
    return numbers.lines.filter(known).map((line) => line.replace(/\{(\w+)\}/g, (_, name) => shown(numbers.columns[name][id])));
  }

  /** The place under a point of the screen, null where there is none. */
  async under(point) {
    const layer = this.view && `fill-${this.view.layer}`;
    if (!layer || !this.map.getLayer(layer)) return null;
    const line = `line-${this.view.layer}`;
    const near = [[point.x - 5, point.y - 5], [point.x + 5, point.y + 5]];
    const [found] = this.map.getLayer(line) ? this.map.queryRenderedFeatures(near, { layers: [line, layer] }) : this.map.queryRenderedFeatures(point, { layers: [layer] });
    if (!found) return null;
    return (await this.need(this.view.layer)).of(found);
  }

  async pick(point) {
    if (pointAt(this.map, point)) return;
    this.onPick((await this.under(point))?.place ?? null);
  }

  async rescheme() {
    style.repaint(this.map);
    this.basemap.repaint(this.map);
    if (!this.values) return;
    this.paint(this.view.layer, this.values.styles);
    this.chrome.drawLegend(this.values);
  }

  /** Move so that a place is in sight (chosen from a list, not from the map). */
  async reveal(place) {
    const ground = await this.need(this.view.layer);
    const shape = await ground.shape(place);
    if (!shape) return;
    const bounds = new maplibregl.LngLatBounds();
    for (const point of shape.geometry.coordinates.flat(shape.geometry.type === "MultiPolygon" ? 2 : 1)) bounds.extend(point);
    this.moved = true;
    if (!this.map.getBounds().contains(bounds.getCenter())) this.map.easeTo({ center: bounds.getCenter(), duration: 400 });
  }

  remove() {
    this.turn += 1;
    this.observer?.disconnect();
    this.sizes.disconnect();
    this.timeline.stop();
    this.twin?.remove();
    this.map.remove();
  }
}
