// What Dash calls. The address holds the whole view: controls write the address, the server reads it back as a checked view, and the view
// is shown and put into the controls again.
import { CloudMap } from "./map.js";

const FIELDS = ["page", "tab", "layer", "measure", "category", "period", "place", "shown", "lang", "scheme"];

let current = null;
let lastPanel = "";
let lastSheet = "";

const { dash_clientside: dash = {} } = window;
window.dash_clientside = dash;
const unchanged = () => window.dash_clientside.no_update;
const set = (id, props) => window.dash_clientside.set_props(id, props);
const triggered = () => (window.dash_clientside.callback_context.triggered ?? []).map((one) => one.prop_id.split(".")[0]);

function search(view) {
  const query = new URLSearchParams();
  for (const field of FIELDS) {
    const value = field === "shown" ? view.shown.join(".") : view[field];
    if (value !== null && value !== undefined && !(value === "" && field !== "shown")) query.set(field, value);
  }
  return `?${query}`;
}

const periodsOf = (config, weeks) => config.periods.filter((period) => period.weeks === Number(weeks));

/** The period of a span that ends when another ends, or else the newest that ends before. */
function withSpan(config, period, weeks) {
  const last = config.periods.find((one) => one.id === period)?.last ?? "9999";
  const choice = periodsOf(config, weeks);
  return (choice.find((one) => one.last <= last) ?? choice.at(-1) ?? { id: period }).id;
}

function step(config, period, by) {
  const weeks = config.periods.find((one) => one.id === period)?.weeks;
  const choice = periodsOf(config, weeks);
  const at = choice.findIndex((one) => one.id === period) - by;
  return choice[Math.min(Math.max(at, 0), choice.length - 1)]?.id ?? period;
}

/** Make the map where its container is (again, after a change of language) and return it. */
function mapFor(config) {
  const container = document.getElementById("map");
  if (!container) return null;
  if (current && current.container === container && current.config.key === config.key) return current;
  current?.remove();
  current = new CloudMap(container, config, (place) => set("picked", { data: { place, layer: current.view.layer } }));
  return current;
}

function mirror(view, config) {
  const weeks = config.periods.find((period) => period.id === view.period)?.weeks;
  const options = periodsOf(config, weeks).map((period) => ({ value: period.id, label: period.label }));
  const { measures, tabs } = config.pages[view.page];
  set("page", { value: view.page });
  set("layer", { value: view.layer });
  set("measure", { data: measures, value: view.measure });
  if (tabs.length) set("tab", { data: tabs, value: view.tab });
  set("category", { value: view.category });
  set("span", { value: String(weeks) });
  set("period", { data: options, value: view.period });
  set("shown", { value: view.shown });
}

/** Another page, with what it has in common with the one before. */
function turnTo(page, view, config) {
  const { kinds, measures, map, tabs, usual } = config.pages[page];
  const next = { ...view, page, tab: usual.tab };
  if (!map) return next;
  const layer = config.layers.find((one) => one.id === view.layer);
  if (!kinds.includes(layer?.kind)) Object.assign(next, { layer: usual.layer, place: "" });
  if (!measures.some((one) => one.value === view.measure)) next.measure = usual.measure;
  if (tabs.some((one) => one.value === view.tab)) next.tab = view.tab;
  return next;
}

dash.cloudmap = {
  /** Controls to address. */
  write(layer, measure, category, span, period, shown, picked, earlier, later, lang, scheme, page, close, tab, view, config) {
    const by = triggered();
    if (!view || !config || by.length === 0) return unchanged();
    let next = { ...view };
    const dark = document.documentElement.getAttribute("data-mantine-color-scheme") === "dark";
    for (const id of by) {
      if (id === "layer" && layer && layer !== view.layer) Object.assign(next, { layer, place: "" });
      if (id === "measure" && measure) next.measure = measure;
      if (id === "category" && category) next.category = category;
      if (id === "span" && span && !config.periods.some((one) => one.id === view.period && one.weeks === Number(span))) next.period = withSpan(config, view.period, span);
      if (id === "period" && period) next.period = period;
      if (id === "shown" && shown) next.shown = shown;
      if (id === "picked" && picked && picked.layer === view.layer) next.place = picked.place ?? "";
      if (id === "close-place" && close) next.place = "";
      if (id === "earlier" && earlier) next.period = step(config, view.period, -1);
      if (id === "later" && later) next.period = step(config, view.period, 1);
      if (id === "lang" && lang) next.lang = lang;
      if (id === "scheme" && scheme) next.scheme = dark ? "light" : "dark";
      if (id === "page" && page && page !== view.page) next = turnTo(page, next, config);
      if (id === "tab" && tab && config.pages[view.page].tabs.some((one) => one.value === tab)) next.tab = tab;
    }
    return search(next) === search(view) ? unchanged() : search(next);
  },

  /** A checked view to the screen. */
  show(view, config) {
    if (!view || !config || view.lang !== config.lang) return unchanged();
    document.documentElement.lang = view.lang;
    document.title = config.words.title;
    const page = config.pages[view.page];
    Object.assign(document.body.dataset, { page: view.page, map: page.map ? "1" : "", tabs: page.tabs.length ? "1" : "", kinds: page.kinds.join(" "), place: view.place ? "1" : "" });
    if (view.asked === window.location.search) mirror(view, config);
    // A hidden map has no size to fit the city into, and a hidden table no width.
    if (!page.map) {
      const sheet = JSON.stringify(view.sheet);
      if (sheet === lastSheet && document.getElementById("sheet")?.childElementCount) document.documentElement.dataset.ready = sheet;
      else {
        lastSheet = sheet;
        delete document.documentElement.dataset.ready;
        set("sheet-view", { data: view.sheet });
      }
      return unchanged();
    }
    const map = mapFor(config);
    if (map?.view?.key === view.map.key) document.documentElement.dataset.ready = view.map.key;
    if (map && map.view?.key !== view.map.key) {
      const same = map.view?.layer === view.layer;
      map.show(view.map).then(() => view.place && !same && map.reveal(view.place));
    }
    const panel = JSON.stringify(view.panel);
    if (panel === lastPanel) return unchanged();
    lastPanel = panel;
    return view.panel;
  },

  /** The content of a page without a map stands. */
  sheetDone(done) {
    if (done && JSON.stringify(done) === lastSheet && !document.body.dataset.map) requestAnimationFrame(() => { document.documentElement.dataset.ready = lastSheet; });
    return "false";
  },

  scheme: (view) => view?.scheme || unchanged(),

  /** A row of the table of places to the picked place. */
  pickRow(rows, view) {
    const place = rows?.[0]?.place;
    if (!place || place === view.place) return unchanged();
    current?.reveal(place);
    return { place, layer: view.layer };
  },

  toggleMenu: (opened, navbar) => ({ ...navbar, collapsed: { ...navbar.collapsed, mobile: !opened } }),
};

window.cloudmap = {
  /** What is on the screen now, for tests and for assistive scripts. */
  state() {
    const view = current?.view;
    const painted = view && current.painted.get(view.layer);
    return view ? { layer: view.layer, place: view.place, codes: painted ? Array.from(painted.codes) : [] } : null;
  },
  pick: (place) => set("picked", { data: { place, layer: current.view.layer } }),
  /** Where a place is on the screen, in CSS pixels of the page. */
  async locate(place) {
    const ground = await current.need(current.view.layer);
    const id = ground.index.get(place);
    const box = current.container.getBoundingClientRect();
    const point = current.map.project(ground.labels.features[id].geometry.coordinates);
    return { x: box.left + point.x, y: box.top + point.y };
  },
};
