// Colours and patterns by style and scheme; the server names the style of each class. Counts: one ordered ramp that also rises in lightness.
// Ratio and risk: blue to orange around a neutral middle. Verdicts: strong hues against grey, warm for hot and blue for cold, the kinds of an
// emerging hot spot apart by hue, depth and pattern. All were chosen to stay apart under red-green blindness.

const COUNT = {
  light: ["#fff3c4", "#fed98e", "#fdb35a", "#f58339", "#d94e26", "#a32418", "#641012"],
  dark: ["#3d2352", "#6b2a63", "#a13a62", "#d45550", "#f0803c", "#f9b43e", "#fdea7e"],
};
const RATIO = {
  light: ["#2b5c9e", "#6a9bd1", "#bcd5ec", "#f1ede4", "#f8d2a0", "#e8923d", "#a84a08"],
  dark: ["#6db3f8", "#4a86c4", "#335a85", "#3d4452", "#80592f", "#c98430", "#ffbd55"],
};
const RISK = { light: [0, 2, 3, 4, 5].map((at) => RATIO.light[at]), dark: [0, 2, 3, 4, 5].map((at) => RATIO.dark[at]) };

/** Light colour, dark colour, pattern. */
const STYLES = {
  quiet: ["#efede8", "#1d2739"],
  not_significant: ["#dedbd3", "#2b374f", "stipple"],
  hot: ["#c2185b", "#ff4f8b"],
  not_enough_data: ["#f3f1ec", "#1a2436", "sparse"],
  no_pattern: ["#e4e1da", "#2b374f", "stipple"],
  new_hot: ["#e6007e", "#ff6ec0"],
  consecutive_hot: ["#c51b8a", "#d44fa8"],
  intensifying_hot: ["#7a0019", "#ff3b30"],
  persistent_hot: ["#c62828", "#e0524a"],
  diminishing_hot: ["#f08a6b", "#b5604d"],
  sporadic_hot: ["#fdb863", "#c98430", "dots"],
  oscillating_hot: ["#fdd49e", "#8f6330", "cross"],
  historical_hot: ["#f1dcc3", "#5a4a35", "back"],
  new_cold: ["#00a08a", "#3fe0c5"],
  consecutive_cold: ["#4db6ac", "#2a9d90"],
  intensifying_cold: ["#08306b", "#4aa3ff"],
  persistent_cold: ["#2171b5", "#3a7fc8"],
  diminishing_cold: ["#6baed6", "#3f6f96"],
  sporadic_cold: ["#a6c8e4", "#35597d", "dots"],
  oscillating_cold: ["#c6dbef", "#2c4763", "cross"],
  historical_cold: ["#dbe5ee", "#26384e", "back"],
  no_cluster: ["#e8e5de", "#232e42", "stipple"],
  cluster_1: ["#7a0019", "#ff3b5c"],
  cluster_2: ["#c2185b", "#e0568f"],
  cluster_3: ["#e8739f", "#b0648a"],
  cluster_more: ["#f3b3cb", "#7a4c66"],
  reporting: ["#ece9e2", "#232e42"],
  never_reported: ["#cfd3db", "#3d4a61", "dots"],
  silent: ["#5b3a9e", "#a98bf0", "back"],
  above_2: ["#8f1d00", "#ff6a3d"],
  high: ["#8f1d00", "#ff6a3d"],
};

export const FONT = ["Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", "Source Han Sans SC", "sans-serif"];

export const GROUND = {
  light: {
    space: "#e9ecef", land: "#fbfaf7", zero: "#f5f1e6", masked: "#b7b3bd", hatch: "#6f6a78", faint: "#bdb9ae", edge: "#8a8576", water: "#5b9ecf", waterFill: "#bfdcf0",
    outline: "#3b3f4a", overlay: "#6741d9", landmark: "#a8500a", label: "#23262e", halo: "#ffffff", picked: "#0b57d0", hover: "#111318",
  },
  dark: {
    space: "#0b1220", land: "#131d30", zero: "#1a2439", masked: "#59606e", hatch: "#b3bac8", faint: "#46526a", edge: "#0b1220", water: "#3f8fd0", waterFill: "#1d4a75",
    outline: "#a9bbd8", overlay: "#b197fc", landmark: "#ffb454", label: "#e8eefb", halo: "#0b1220", picked: "#7cc4ff", hover: "#ffffff",
  },
};

export const scheme = () => (document.documentElement.getAttribute("data-mantine-color-scheme") === "dark" ? "dark" : "light");

/** Spread `size` steps over a ramp, so that few classes still use its whole range. */
function spread(ramp, size) {
  if (size <= 1) return [ramp[Math.floor(ramp.length / 2)]];
  return Array.from({ length: size }, (_, step) => ramp[Math.round((step * (ramp.length - 1)) / (size - 1))]);
}

function colour(style, classes, mode) {
  const [, family, step] = style.match(/^(count|ramp|ratio|risk)_(\d+)$/) ?? [];
  if (family === "count") return step === "0" ? GROUND[mode].zero : spread(COUNT[mode], classes - 1)[step - 1];
  if (family === "ramp") return spread(COUNT[mode], classes)[step];
  if (family === "ratio") return RATIO[mode][step];
  if (family === "risk") return RISK[mode][step];
  return STYLES[style][mode === "dark" ? 1 : 0];
}

/**
 * How each code of one map is painted. Codes: 0 no value, 1 masked, 2 and up the classes in order.
 * @returns {{colour: string, pattern: string|undefined}[]}
 */
export function paints(styles, mode = scheme()) {
  const own = styles.map((style) => ({ colour: colour(style, styles.length, mode), pattern: STYLES[style]?.[2] }));
  return [{ colour: "rgba(0,0,0,0)" }, { colour: GROUND[mode].masked, pattern: "hatch" }, ...own];
}

/** The ramp of counts in so many steps. */
export const colours = (family, size, mode = scheme()) => spread({ count: COUNT, ratio: RATIO }[family][mode], size);

/** Which pixels of an eight by eight tile a pattern darkens. */
export const PATTERNS = {
  hatch: (x, y) => (x + y) % 8 < 2,
  back: (x, y) => (x - y + 8) % 8 < 2,
  cross: (x, y) => (x + y) % 8 < 1 || (x - y + 8) % 8 < 1,
  dots: (x, y) => (x % 4 === 1 && y % 4 === 1) || (x % 4 === 1 && y % 4 === 2) || (x % 4 === 2 && y % 4 === 1) || (x % 4 === 2 && y % 4 === 2),
  sparse: (x, y) => (x % 4 === 1 || x % 4 === 2) && y % 4 === 1,
  stipple: (x, y) => x === 2 && y === 2,
};

export function patternImage(name, mode = scheme()) {
  const size = 8;
  const data = new Uint8Array(size * size * 4);
  const ink = GROUND[mode][name === "stipple" || name === "sparse" ? "faint" : "hatch"];
  const rgb = [1, 3, 5].map((at) => parseInt(ink.slice(at, at + 2), 16));
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) if (PATTERNS[name](x, y)) data.set([...rgb, 230], (y * size + x) * 4);
  }
  return { width: size, height: size, data };
}

/** The same pattern as a picture for the legend. */
export function patternImageUrl(name, mode = scheme()) {
  const canvas = document.createElement("canvas");
  const { width, height, data } = patternImage(name, mode);
  Object.assign(canvas, { width, height });
  canvas.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(data), width, height), 0, 0);
  return canvas.toDataURL();
}

export const patternUrl = (name) => `url(${patternImageUrl(name)})`;
