// Bundles the map for the dashboard: `npm install && npm run build`. Writes map.js, map-worker.js, map.css, map.LICENSES.txt and the
// Chinese words of AG Grid. The output is committed, so that users of cloudmap need no Node.
import { build } from "esbuild";
import fs from "node:fs";
import path from "node:path";
import { createHash } from "node:crypto";
import { createRequire } from "node:module";

const here = import.meta.dirname;
const dashboard = path.join(here, "..", "cloudmap", "dashboard");
const assets = path.join(dashboard, "assets");
const modules = path.join(here, "node_modules");
// The bundle names the state of its sources, so that a test can tell when it was not built anew.
const sources = createHash("sha256");
for (const file of ["build.mjs", "package.json", ...fs.readdirSync(path.join(here, "src")).sort().map((name) => `src/${name}`)]) {
  sources.update(fs.readFileSync(path.join(here, file)));
}
const common = { bundle: true, minify: true, format: "iife", target: "es2022", charset: "utf8", legalComments: "none", logLevel: "info" };

await build({ ...common, entryPoints: [path.join(here, "src", "main.js")], outfile: path.join(assets, "map.js"), banner: { js: `/* cloudmap web ${sources.digest("hex")} */` } });
await build({
  ...common,
  entryPoints: [path.join(modules, "maplibre-gl", "dist", "maplibre-gl-worker.mjs")],
  outfile: path.join(assets, "map-worker.js"),
});
await build({
  ...common,
  format: undefined,
  target: undefined,
  entryPoints: [path.join(modules, "maplibre-gl", "dist", "maplibre-gl.css")],
  outfile: path.join(assets, "map.css"),
  loader: { ".svg": "dataurl" },
});

const read = (name) => JSON.parse(fs.readFileSync(path.join(modules, name, "package.json"), "utf8"));

function withDependencies(root, seen = new Set()) {
  if (seen.has(root)) return seen;
  seen.add(root);
  for (const name of Object.keys(read(root).dependencies ?? {})) {
    if (!name.startsWith("@types/")) withDependencies(name, seen);
  }
  return seen;
}

function licence(name) {
  const folder = path.join(modules, name);
  const file = fs.readdirSync(folder).find((one) => /^(licen[cs]e|copying)/i.test(one));
  const { version, license, author } = read(name);
  const text = file
    ? fs.readFileSync(path.join(folder, file), "utf8").trim()
    : `No licence file in the package; it declares ${license}${author ? `, by ${author.name ?? author}` : ""}.`;
  return `${name} ${version} (${license})\n\n${text}\n`;
}

const packages = [...withDependencies("maplibre-gl"), ...withDependencies("pmtiles"), ...withDependencies("@ag-grid-community/locale")];
fs.writeFileSync(
  path.join(assets, "map.LICENSES.txt"),
  `map.js, map-worker.js and map.css contain, beside cloudmap's own code (MIT), the packages below; ag_grid_zh.json is the last one's Chinese table.\n\n${packages.map(licence).join(`\n${"-".repeat(100)}\n\n`)}`,
);

const { AG_GRID_LOCALE_CN, AG_GRID_LOCALE_HK } = createRequire(import.meta.url)("@ag-grid-community/locale");
for (const [name, words] of [["ag_grid_zh", AG_GRID_LOCALE_CN], ["ag_grid_zh_hant", AG_GRID_LOCALE_HK]]) {
  fs.writeFileSync(path.join(dashboard, `${name}.json`), `${JSON.stringify(words, null, 1)}\n`);
}
