// What lies above the coloured places without being a place: the heat surface and the single reports.
import { colours, GROUND, scheme } from "./palette.js";

const FONT = ["Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", "sans-serif"];
const POINT_LAYERS = ["points-cluster", "points-number", "points-one"];

const points = (features) => ({ type: "FeatureCollection", features });

/** A surface over the centres of places, weighted by their numbers: a picture, never a test. */
export function drawHeat(map, ground, numbers, on) {
  if (on && ground && numbers) {
    const n = numbers.columns.n ?? numbers.columns.value ?? [];
    const some = n.filter((one) => one > 0).sort((a, b) => a - b);
    const top = some[Math.floor(some.length * 0.98)] ?? 1;
    const features = ground.labels.features.flatMap((one, at) => (n[at] > 0 ? [{ ...one, properties: { w: Math.min(1, n[at] / top) } }] : []));
    if (map.getSource("heat")) map.getSource("heat").setData(points(features));
    else map.addSource("heat", { type: "geojson", data: points(features) });
    if (!map.getLayer("heat")) {
      map.addLayer({
        id: "heat", type: "heatmap", source: "heat",
        paint: {
          "heatmap-weight": ["get", "w"],
          "heatmap-radius": ["interpolate", ["exponential", 2], ["zoom"], 9, 9, 12, 34, 15, 160],
          "heatmap-intensity": ["interpolate", ["linear"], ["zoom"], 9, 1.2, 13, 1.6],
          "heatmap-opacity": 0.82,
        },
      }, "slot-water");
    }
    const ramp = colours("count", 7);
    map.setPaintProperty("heat", "heatmap-color", ["interpolate", ["linear"], ["heatmap-density"], 0, "rgba(0,0,0,0)", ...ramp.flatMap((colour, at) => [0.08 + (0.92 * at) / (ramp.length - 1), colour])]);
  }
  if (map.getLayer("heat")) map.setLayoutProperty("heat", "visibility", on ? "visible" : "none");
}

/** Single reports, in clusters that open when they are clicked. */
export function drawPoints(map, answer, on) {
  if (on && answer) {
    const features = [];
    for (let at = 0; at < answer.names.length; at += 1) {
      features.push({ type: "Feature", properties: { name: answer.names[at], at: answer.at[at] }, geometry: { type: "Point", coordinates: [answer.xy[2 * at] / 1e6, answer.xy[2 * at + 1] / 1e6] } });
    }
    if (map.getSource("points")) map.getSource("points").setData(points(features));
    else map.addSource("points", { type: "geojson", data: points(features), cluster: true, clusterRadius: 46, clusterMaxZoom: 16 });
    const ground = GROUND[scheme()];
    if (!map.getLayer("points-one")) {
      const clustered = ["has", "point_count"];
      map.addLayer({ id: "points-cluster", type: "circle", source: "points", filter: clustered, paint: { "circle-radius": ["step", ["get", "point_count"], 11, 20, 15, 100, 20, 1000, 26], "circle-stroke-width": 2, "circle-opacity": 0.86 } }, "slot-label");
      map.addLayer({ id: "points-number", type: "symbol", source: "points", filter: clustered, layout: { "text-field": ["get", "point_count_abbreviated"], "text-font": FONT, "text-size": 12, "text-allow-overlap": true } }, "slot-label");
      map.addLayer({ id: "points-one", type: "circle", source: "points", filter: ["!", clustered], paint: { "circle-radius": 4.5, "circle-stroke-width": 1.5 } }, "slot-label");
      map.on("click", "points-cluster", async (event) => {
        const [feature] = event.features;
        const zoom = await map.getSource("points").getClusterExpansionZoom(feature.properties.cluster_id);
        map.easeTo({ center: feature.geometry.coordinates, zoom });
      });
    }
    for (const id of ["points-cluster", "points-one"]) {
      map.setPaintProperty(id, "circle-color", ground.picked);
      map.setPaintProperty(id, "circle-stroke-color", ground.halo);
    }
    map.setPaintProperty("points-number", "text-color", ground.halo);
  }
  for (const id of POINT_LAYERS) if (map.getLayer(id)) map.setLayoutProperty(id, "visibility", on ? "visible" : "none");
}

/** The single report or cluster under a point of the screen, if any. */
export function pointAt(map, point) {
  const layers = ["points-cluster", "points-one"].filter((id) => map.getLayer(id) && map.getLayoutProperty(id, "visibility") !== "none");
  return layers.length ? map.queryRenderedFeatures(point, { layers })[0] : undefined;
}
