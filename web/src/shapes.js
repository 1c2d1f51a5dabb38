// Geometry comes as whole numbers of 1e-6 degree, each ring as its first point and then differences: a tenth of GeoJSON's size.

function ring(steps) {
  const points = new Array(steps.length / 2);
  let x = 0;
  let y = 0;
  for (let i = 0; i < points.length; i += 1) {
    x += steps[2 * i];
    y += steps[2 * i + 1];
    points[i] = [x / 1e6, y / 1e6];
  }
  return points;
}

function geometry([type, parts]) {
  if (type === "D") return { type: "MultiPoint", coordinates: ring(parts) };
  return type === "P"
    ? { type: "MultiPolygon", coordinates: parts.map((polygon) => polygon.map(ring)) }
    : { type: "MultiLineString", coordinates: parts.map(ring) };
}

const collection = (features) => ({ type: "FeatureCollection", features });

/** Turn the compact form into features whose id is their position, and label points. */
export function decode(packed, spelling) {
  if (spelling) {
    const spelled = new Map([...spelling.from].map((one, at) => [one, [...spelling.to][at]]));
    packed.names = packed.names.map((name) => spelling.phrases[name] ?? [...name].map((one) => spelled.get(one) ?? one).join(""));
  }
  const features = packed.shapes.map((shape, id) => ({
    type: "Feature", id, properties: { name: packed.names[id] }, geometry: geometry(shape),
  }));
  const centres = packed.names.map((name, id) => ({
    type: "Feature", id, properties: { name }, geometry: { type: "Point", coordinates: [packed.centres[2 * id] / 1e6, packed.centres[2 * id + 1] / 1e6] },
  }));
  return { places: packed.places, names: packed.names, features, shapes: collection(features), labels: collection(centres), index: new Map(packed.places.map((place, id) => [place, id])) };
}

export const none = collection([]);

export function bytes(base64) {
  const text = atob(base64);
  const codes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) codes[i] = text.charCodeAt(i);
  return codes;
}
