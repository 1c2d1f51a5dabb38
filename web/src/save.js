// The map as a picture to take along: title, period, legend, scale, north, source and date stand in it.
import { paints, patternImageUrl, scheme } from "./palette.js";

const INK = { light: ["#1d2430", "#5c6675", "#ffffff"], dark: ["#e8eefb", "#9aa8c2", "#111a2e"] };

/** The map's own canvas as a picture; it can only be read while it is being drawn. */
const picture = (map) => new Promise((resolve) => {
  map.once("render", () => createImageBitmap(map.getCanvas()).then(resolve));
  map.triggerRepaint();
});

const loaded = (url) => new Promise((resolve, reject) => {
  const image = new Image();
  image.onload = () => resolve(image);
  image.onerror = reject;
  image.src = url;
});

function wrap(pen, text, width) {
  const lines = [""];
  for (const part of text.match(/[A-Za-z0-9.,%:()'-]+|\s+|./g) ?? []) {
    if (pen.measureText(lines.at(-1) + part).width > width && lines.at(-1)) lines.push(part.trimStart());
    else lines[lines.length - 1] += part;
  }
  return lines;
}

/**
 * Draw everything on a canvas of twice the screen's size.
 * @param {{map: Object, from: number|undefined, until: number|undefined}[]} maps the map, and beside it the earlier one where two are compared
 */
export async function compose(maps, values, about) {
  const [ink, dim, paper] = INK[scheme()];
  const [{ map: main }] = maps;
  const { clientWidth: width, clientHeight: height } = main.getCanvas();
  const side = 300;
  const head = 92;
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: 2 * (width + side), height: 2 * (height + head) });
  const pen = canvas.getContext("2d");
  pen.scale(2, 2);
  pen.fillStyle = paper;
  pen.fillRect(0, 0, width + side, height + head);
  const write = (text, x, y, size, colour = ink, weight = 400) => {
    pen.font = `${weight} ${size}px ${getComputedStyle(document.body).fontFamily}`;
    pen.fillStyle = colour;
    pen.fillText(text, x, y);
  };
  write(values.title, 20, 38, 26, ink, 700);
  write(values.subtitle, 20, 60, 14, dim);
  write(values.tags.join("   "), 20, 80, 12.5, dim);
  for (const one of maps) {
    const image = await picture(one.map);
    const left = one.from ?? 0;
    const right = one.until ?? width;
    pen.drawImage(image, (left / width) * image.width, 0, ((right - left) / width) * image.width, image.height, left, head, right - left, height);
  }
  let y = head + 26;
  write(values.legend.title, width + 20, y, 15, ink, 650);
  y += 20;
  write(values.legend.period, width + 20, y, 12, dim);
  y += 12;
  const paint = paints(values.styles);
  for (const row of values.legend.rows) {
    const one = paint[row.code];
    pen.fillStyle = one.colour;
    pen.fillRect(width + 20, y, 26, 15);
    if (one.pattern) {
      pen.fillStyle = pen.createPattern(await loaded(patternImageUrl(one.pattern)), "repeat");
      pen.fillRect(width + 20, y, 26, 15);
    }
    pen.strokeStyle = dim;
    pen.strokeRect(width + 20, y, 26, 15);
    write(row.label, width + 54, y + 12, 12.5);
    pen.textAlign = "right";
    write(row.places, width + side - 16, y + 12, 12.5, dim);
    pen.textAlign = "left";
    y += 19;
  }
  y += 14;
  pen.font = "12px sans-serif";
  for (const text of [values.legend.denominator, ...values.legend.notes]) {
    pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    for (const line of wrap(pen, text, side - 36)) {
      write(line, width + 20, y, 12, dim);
      y += 16;
    }
    y += 5;
  }
  let bottom = height + head - 16;
  pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
  for (const text of [...about].reverse()) {
    for (const line of wrap(pen, text, side - 36).reverse()) {
      write(line, width + 20, bottom, 12, dim);
      bottom -= 16;
    }
  }
  drawScale(pen, main, { x: width - 150, y: height + head - 20 }, write);
  write("▲", width - 34, head + 30, 16);
  write("N", width - 32, head + 46, 13, ink, 700);
  return canvas;
}

function drawScale(pen, map, at, write) {
  const y = map.getCanvas().clientHeight / 2;
  const metres = map.unproject([0, y]).distanceTo(map.unproject([100, y]));
  const step = [1, 2, 5].flatMap((one) => Array.from({ length: 6 }, (_, power) => one * 10 ** power)).sort((a, b) => a - b).filter((one) => one <= metres).at(-1) ?? 1;
  const length = (100 * step) / metres;
  pen.fillRect(at.x, at.y, length, 3);
  const [far, near] = document.documentElement.lang.startsWith("zh") ? ["公里", "米"] : ["km", "m"];
  write(step >= 1000 ? `${step / 1000} ${far}` : `${step} ${near}`, at.x, at.y - 5, 12);
}

export async function save(maps, values, about, name) {
  const canvas = await compose(maps, values, about);
  canvas.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${name}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  });
}
