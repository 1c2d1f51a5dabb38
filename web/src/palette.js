// Colours by measure and scheme. Counts: one ordered ramp that also rises in lightness. Ratio: blue to orange around a neutral middle.
// Hotspot: one strong hue against grey. All three were chosen to stay apart under red-green blindness.

const RAMPS = {
  light: {
    count: ["#fff3c4", "#fed98e", "#fdb35a", "#f58339", "#d94e26", "#a32418", "#641012"],
    ratio: ["#2b5c9e", "#6a9bd1", "#bcd5ec", "#f1ede4", "#f8d2a0", "#e8923d", "#a84a08"],
    hotspot: ["#e9e7e1", "#d8d5cd", "#c2185b"],
  },
  dark: {
    count: ["#3d2352", "#6b2a63", "#a13a62", "#d45550", "#f0803c", "#f9b43e", "#fdea7e"],
    ratio: ["#6db3f8", "#4a86c4", "#335a85", "#3d4452", "#80592f", "#c98430", "#ffbd55"],
    hotspot: ["#232e42", "#32405a", "#ff4f8b"],
  },
};

export const GROUND = {
  light: {
    space: "#e9ecef", land: "#fbfaf7", zero: "#f5f1e6", masked: "#b7b3bd", hatch: "#6f6a78", edge: "#8a8576", water: "#5b9ecf", waterFill: "#bfdcf0",
    outline: "#3b3f4a", overlay: "#6741d9", landmark: "#a8500a", label: "#23262e", halo: "#ffffff", picked: "#0b57d0", hover: "#111318",
  },
  dark: {
    space: "#0b1220", land: "#131d30", zero: "#1a2439", masked: "#59606e", hatch: "#b3bac8", edge: "#0b1220", water: "#3f8fd0", waterFill: "#1d4a75",
    outline: "#a9bbd8", overlay: "#b197fc", landmark: "#ffb454", label: "#e8eefb", halo: "#0b1220", picked: "#7cc4ff", hover: "#ffffff",
  },
};

export const scheme = () => (document.documentElement.getAttribute("data-mantine-color-scheme") === "dark" ? "dark" : "light");

/** Spread `size` steps over a ramp, so that few classes still use its whole range. */
function spread(ramp, size) {
  if (size <= 1) return [ramp[Math.floor(ramp.length / 2)]];
  return Array.from({ length: size }, (_, step) => ramp[Math.round((step * (ramp.length - 1)) / (size - 1))]);
}

/**
 * Colours by code for one legend. Codes: 0 no value, 1 masked, 2 and up the legend's classes in order.
 * Count: class 2 is zero and takes the ground's own tone.
 */
export function colours(palette, classes, mode = scheme()) {
  const ground = GROUND[mode];
  const ramp = RAMPS[mode][palette];
  const own = palette === "count" ? [ground.zero, ...spread(ramp, classes - 1)] : ramp.slice(0, classes);
  return ["rgba(0,0,0,0)", ground.masked, ...own];
}
