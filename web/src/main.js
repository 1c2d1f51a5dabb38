// What Dash calls. The address holds the whole view: controls write the address, the server reads it back as a checked view, and the view
// is shown and put into the controls again.
import { drawEnds } from "./ends.js";
import { CloudMap } from "./map.js";
import { addDays, Periods } from "./periods.js";
import { decorate, mirrorRows } from "./rows.js";
import { watchLight } from "./light.js";
import "./print.js";
import { Wall } from "./wall.js";

const FIELDS = ["page", "tab", "layer", "measure", "category", "period", "place", "within", "shown", "opacity", "breaks", "against", "auto", "wall", "rotate", "lang", "scheme"];
const USUAL = { within: "", opacity: "90", breaks: "", against: "before", auto: "", wall: "", rotate: "" };

let current = null;
let lastPanel = "";
let lastSheet = "";
let lastStanding = "";
let seen = null;

const { dash_clientside: dash = {} } = window;
window.dash_clientside = dash;
const unchanged = () => window.dash_clientside.no_update;
const set = (id, props) => window.dash_clientside.set_props(id, props);
const triggered = () => (window.dash_clientside.callback_context.triggered ?? []).map((one) => one.prop_id.split(".")[0]);
const ask = (fields) => set("asked", { data: { ...fields, at: Date.now() } });
const wall = new Wall(ask);
watchLight();

function search(view) {
  const query = new URLSearchParams();
  for (const field of FIELDS) {
    const value = field === "shown" ? view.shown.join(".") : view[field];
    if (value === null || value === undefined || value === USUAL[field]) continue;
    if (value !== "" || field === "shown") query.set(field, value);
  }
  return `?${query}`;
}

let reckoned = null;
/** Periods of the configuration of the moment. */
function periodsOf(config) {
  if (reckoned?.listed !== config.periods) reckoned = new Periods(config);
  return reckoned;
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

/** The layers on top after a switch: those that stay keep their place and opacity, a new one comes on top. */
function withShown(shown, ids) {
  const kept = shown.filter((one) => ids.includes(one.split("~")[0]));
  const there = kept.map((one) => one.split("~")[0]);
  return [...kept, ...ids.filter((id) => !there.includes(id))];
}

/** "5, 10 20" as breaks of one's own; none where nothing can be read. */
function ownBreaks(text) {
  const read = (text ?? "").split(/[^0-9.]+/).map(Number).filter((one) => one > 0 && one < 1e7);
  const ends = [...new Set(read)].sort((a, b) => a - b).slice(0, 8);
  return ends.length ? `m~${ends.join("~")}` : "";
}

/** Make the map where its container is (again, after a change of language) and return it. */
function mapFor(config) {
  const container = document.getElementById("map");
  if (!container) return null;
  if (current && current.container === container && current.config.key === config.key) return current;
  current?.remove();
  current = new CloudMap(container, config, {
    pick: (place) => set("picked", { data: { place, layer: current.view.layer } }),
    period: (period) => ask({ period }),
    layer: (layer) => ask({ layer, place: "" }),
  });
  return current;
}

function mirror(view, config) {
  const periods = periodsOf(config);
  const period = periods.read(view.period);
  const { measures, tabs } = config.pages[view.page];
  const own = view.breaks.startsWith("m~");
  set("page", { value: view.page });
  set("layer", { value: view.layer });
  set("measure", { data: measures, value: view.measure });
  if (tabs.length) set("tab", { data: tabs, value: view.tab });
  set("category", { value: view.category });
  set("span", { value: period?.span });
  set("period", { data: periods.options(view.period), value: view.period });
  if (period) drawEnds(periods, period, (id) => ask({ period: id }));
  set("shown", { value: view.shown.map((one) => one.split("~")[0]) });
  set("against", { value: view.against });
  set("auto", { checked: view.auto === "1" });
  set("opacity", { value: Number(view.opacity) });
  set("breaks", { value: own ? "m" : view.breaks || "round" });
  if (own) set("breaks-own", { value: view.breaks.split("~").slice(1).join(", ") });
  document.body.dataset.breaks = own ? "m" : "";
  mirrorRows(view.shown);
}

const LEAFING_MS = 200;

/** What beside the map is not of this view: the panel, on the first page also how the city stands. */
function behind(view) {
  const there = (id) => document.getElementById(id)?.childElementCount;
  const old = [];
  if (view.page === "cloud" && (JSON.stringify(view.standing) !== lastStanding || !there("standing"))) old.push("standing");
  if (JSON.stringify(view.panel) !== lastPanel || !there("panel")) old.push("panel");
  return old;
}

/** Ask for what stands beside the map, where it is not there already. */
function askBeside(view) {
  const old = behind(view);
  if (old.includes("standing")) {
    lastStanding = JSON.stringify(view.standing);
    set("standing-view", { data: view.standing });
  }
  if (old.includes("panel")) {
    lastPanel = JSON.stringify(view.panel);
    set("panel-view", { data: view.panel });
  }
  // From here on Dash itself marks what is under way.
  setTimeout(() => { if (seen === view) document.body.dataset.behind = ""; }, 50);
}

const CHANGES = {
  // A resolution that is chosen stays, except where only tiles can show it.
  layer: (next, value, view, config) => value && value !== view.layer && Object.assign(next, { layer: value, place: "", auto: config.layers.find((one) => one.id === value)?.tiles ? "1" : "" }),
  auto: (next, value, view) => value !== undefined && (value === true) !== (view.auto === "1") && Object.assign(next, { auto: value ? "1" : "" }),
  measure: (next, value) => value && Object.assign(next, { measure: value }),
  category: (next, value) => value && Object.assign(next, { category: value }),
  span: (next, value, view, config) => value && periodsOf(config).read(view.period)?.span !== value && Object.assign(next, { period: periodsOf(config).withSpan(view.period, value) }),
  period: (next, value) => value && Object.assign(next, { period: value }),
  shown: (next, value, view) => value && Object.assign(next, { shown: withShown(view.shown, value) }),
  picked: (next, value, view) => value && value.layer === view.layer && Object.assign(next, { place: value.place ?? "", tab: view.tab && "places" }),
  "close-place": (next, value) => value && Object.assign(next, { place: "" }),
  earlier: (next, value, view, config) => value && Object.assign(next, { period: periodsOf(config).moved(view.period, -1) ?? view.period }),
  later: (next, value, view, config) => value && Object.assign(next, { period: periodsOf(config).moved(view.period, 1) ?? view.period }),
  lang: (next, value) => value && Object.assign(next, { lang: value }),
  scheme: (next, value) => value && Object.assign(next, { scheme: document.documentElement.getAttribute("data-mantine-color-scheme") === "dark" ? "light" : "dark" }),
  page: (next, value, view, config) => value && value !== view.page && Object.assign(next, turnTo(value, next, config)),
  tab: (next, value, view, config) => value && config.pages[view.page].tabs.some((one) => one.value === value) && Object.assign(next, { tab: value }),
  against: (next, value) => value && Object.assign(next, { against: value }),
  opacity: (next, value) => value && Object.assign(next, { opacity: String(value) }),
  breaks: (next, value, view) => {
    if (value === "m") document.body.dataset.breaks = "m";
    else if (value) Object.assign(next, { breaks: value === "round" ? "" : value });
    if (value === "m" && !view.breaks.startsWith("m~")) document.querySelector("#breaks-own")?.focus();
  },
  "breaks-own": (next, value) => document.body.dataset.breaks === "m" && ownBreaks(value) && Object.assign(next, { breaks: ownBreaks(value) }),
  wall: (next, value) => value && Object.assign(next, { wall: "1" }),
  "wall-add": (next, value, view) => value && Object.assign(next, { rotate: wall.added(view) }),
  asked: (next, value, view, config) => {
    const { at, page, ...fields } = value ?? {};
    if (page && page !== view.page) Object.assign(next, turnTo(page, next, config));
    Object.assign(next, fields);
  },
};
const CONTROLS = ["layer", "measure", "category", "span", "period", "shown", "picked", "earlier", "later", "lang", "scheme", "page", "close-place", "tab", "against", "opacity", "breaks", "breaks-own", "auto", "wall", "wall-add", "asked"];

dash.cloudmap = {
  /** Controls to address. */
  write(...given) {
    const [view, config] = given.slice(CONTROLS.length);
    const by = triggered();
    if (!view || !config || by.length === 0) return unchanged();
    const next = { ...view };
    for (const id of by) CHANGES[id]?.(next, given[CONTROLS.indexOf(id)], view, config);
    return search(next) === search(view) ? unchanged() : search(next);
  },

  /** A checked view to the screen. */
  show(view, config) {
    if (!view || !config || view.lang !== config.lang) return unchanged();
    seen = view;
    document.documentElement.lang = view.lang;
    document.title = config.words.title;
    const page = config.pages[view.page];
    Object.assign(document.body.dataset, {
      page: view.page, map: page.map ? "1" : "", tabs: page.tabs.length ? "1" : "", kinds: page.kinds.join(" "), place: view.place ? "1" : "", wall: view.wall,
    });
    decorate(config, ask, () => seen);
    wall.show(view, config);
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
    if (!map) askBeside(view);
    else if (map.view?.key === view.map.key) {
      document.documentElement.dataset.ready = view.map.key;
      askBeside(view);
    } else {
      // One processor answers both: after a click the map comes first, and who leafs through periods waits for no panel in between.
      const first = !lastPanel;
      if (first) askBeside(view);
      else document.body.dataset.behind = behind(view).join(" ");
      const same = map.view?.layer === view.layer;
      const drawn = () => setTimeout(() => seen === view && askBeside(view), LEAFING_MS);
      map.show(view.map, first ? undefined : drawn).then(() => view.place && !same && map.reveal(view.place));
    }
    return unchanged();
  },

  /** The content of a page without a map stands. */
  sheetDone(done) {
    const stands = done && (done.failed || JSON.stringify(done) === lastSheet);
    if (stands && !document.body.dataset.map) requestAnimationFrame(() => { document.documentElement.dataset.ready = lastSheet; });
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

  /** A bar of the weeks to the period: that week, or the period of the same length that ends with it. */
  pickWeek(click, view, config) {
    const week = click?.points?.[0]?.x;
    if (!week || !config) return unchanged();
    const last = addDays(String(week).slice(0, 10), 6);
    const { span } = periodsOf(config).read(view.period);
    const weeks = config.periods.filter((one) => one.last === last);
    const found = weeks.find((one) => String(one.weeks) === span) ?? weeks.find((one) => one.weeks === 1);
    return found ? { period: found.id, at: Date.now() } : unchanged();
  },

  toggleMenu: (opened, navbar) => ({ ...navbar, collapsed: { ...navbar.collapsed, mobile: !opened } }),
};

// Buttons in tables, charts and breadcrumbs carry the fields of the view that they change.
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-ask]");
  if (button) ask(JSON.parse(button.dataset.ask));
  if (event.target.closest?.("#export-print")) window.print();
});

// A server that does not answer is said in words and asked again; when it is back the page opens anew, at the same address.
const RETRY_MS = 3000;
const fetchOf = window.fetch.bind(window);
let leaving = false;
window.addEventListener("pagehide", () => { leaving = true; });

function retry() {
  fetchOf("/assets/icon.svg", { cache: "no-store" }).then(() => window.location.reload(), () => setTimeout(retry, RETRY_MS));
}

window.fetch = async (...given) => {
  try {
    return await fetchOf(...given);
  } catch (error) {
    if (error.name !== "AbortError" && !leaving && !document.body.dataset.lost) {
      document.body.dataset.lost = "1";
      setTimeout(retry, RETRY_MS);
    }
    throw error;
  }
};

window.cloudmap = {
  /** What is on the screen now, for tests and for assistive scripts. */
  state() {
    const view = current?.view;
    const painted = view && current.painted.get(view.layer);
    return view ? { layer: view.layer, place: view.place, codes: painted ? Array.from(painted.codes) : [] } : null;
  },
  /** Ends when all that moves and loads on the map has come to rest. */
  settled: () => current.settled().then(() => true),
  base: () => current?.basemap.state(current.map),
  /** How the page reckons with periods. */
  periods: () => periodsOf(current.config),
  pick: (place) => set("picked", { data: { place, layer: current.view.layer } }),
  /** Where a place is on the screen, in CSS pixels of the page. */
  async locate(place) {
    const ground = await current.need(current.view.layer);
    const box = current.container.getBoundingClientRect();
    const point = current.map.project(await ground.centre(place));
    return { x: box.left + point.x, y: box.top + point.y };
  },
};
