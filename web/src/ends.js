// The two ends of the period: typed as the page writes days, in every language, or taken from the calendar of the browser or the phone.
import { element } from "./chrome.js";
import { daysFrom } from "./periods.js";

/** What is being typed is a day at many moments; it counts when it stands still, or when the field is left. */
const STILL_MS = 700;
const TYPED = /^\s*(\d{4})\D?(\d{1,2})\D?(\d{1,2})\D?\s*$/;

/** "2018-7-3", "2018/07/03", "20180703" or "2018年7月3日" as 2018-07-03; null where there is no such day. */
function readDay(text) {
  const found = TYPED.exec(text);
  if (!found) return null;
  const day = `${found[1]}-${found[2].padStart(2, "0")}-${found[3].padStart(2, "0")}`;
  const at = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(day) ? day : null;
}

/** Fill the frame of the fields, once, and set them to a period.
 * @param {import("./periods.js").Periods} periods
 * @param {(period: string) => void} choose
 */
export function drawEnds(periods, period, choose) {
  const frame = document.getElementById("ends");
  if (!frame || !periods.days) return;
  Object.assign(frame, { periods, period });
  if (!frame.childElementCount) fill(frame, choose);
  for (const field of frame.querySelectorAll("input[name]")) {
    // What is being typed is not overwritten.
    if (!(document.activeElement === field && frame.still)) put(field, period[field.name]);
  }
}

function put(field, day) {
  if (field.value !== day) field.value = day;
  field.removeAttribute("aria-invalid");
}

function fill(frame, choose) {
  const fields = ["first", "last"].map((name) => field(frame, name, (changed) => take(changed)));
  const take = (changed) => {
    clearTimeout(frame.still);
    frame.still = null;
    const { days } = frame.periods;
    const read = fields.map((one) => readDay(one.value));
    fields.forEach((one, at) => one.setAttribute("aria-invalid", String(!read[at] || read[at] < days.first || read[at] > days.last)));
    if (fields.some((one) => one.getAttribute("aria-invalid") === "true")) return;
    // An end beyond the other one takes it along: the day is then the whole period.
    const ends = daysFrom(...read) > 0 ? read : [read[fields.indexOf(changed)], read[fields.indexOf(changed)]];
    fields.forEach((one, at) => put(one, ends[at]));
    const id = frame.periods.between(...ends);
    if (id && id !== frame.period.id) choose(id);
  };
}

/** One end: its field, and a button that opens the calendar. */
function field(frame, name, take) {
  const { words, days } = frame.periods;
  const box = element("div", "cm-end");
  const label = element("label", "", words[`map.${name}`]);
  const text = element("input");
  Object.assign(text, { type: "text", name, id: `end-${name}`, inputMode: "numeric", autocomplete: "off", maxLength: 12, placeholder: days.first });
  label.htmlFor = text.id;
  const calendar = element("input", "cm-end-calendar");
  Object.assign(calendar, { type: "date", tabIndex: -1, min: days.first, max: days.last });
  calendar.setAttribute("aria-hidden", "true");
  const open = element("button", "cm-end-open");
  open.type = "button";
  open.setAttribute("aria-label", `${words["map.calendar"]}: ${words[`map.${name}`]}`);
  open.append(element("span", "cm-icon calendar"));
  open.addEventListener("click", () => {
    calendar.value = readDay(text.value) ?? days.last;
    calendar.showPicker();
  });
  calendar.addEventListener("change", () => {
    if (!calendar.value) return;
    text.value = calendar.value;
    take(text);
  });
  text.addEventListener("input", () => {
    clearTimeout(frame.still);
    frame.still = setTimeout(() => readDay(text.value) && take(text), STILL_MS);
  });
  text.addEventListener("blur", () => frame.still && take(text));
  text.addEventListener("keydown", (event) => event.key === "Enter" && take(text));
  box.append(label, text, calendar, open);
  frame.append(box);
  return text;
}
