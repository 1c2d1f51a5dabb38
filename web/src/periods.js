// Periods as the browser reckons with them: listed spans of whole weeks, days, calendar months, and any days between two ends.
// Days are ISO texts; they compare as texts, and are moved in UTC so that no change to summer time gets between.

const WEEKS = /^(\d{4})-W(\d{2})(?:--(\d{4})-W(\d{2}))?$/;
const MONTH = /^\d{4}-\d{2}$/;
const DAYS = /^(\d{4}-\d{2}-\d{2})(?:--(\d{4}-\d{2}-\d{2}))?$/;
const DAY_MS = 86_400_000;
/** Days that are listed about the chosen one. */
const LISTED = 45;

const at = (day) => Date.parse(`${day}T00:00:00Z`);
const text = (ms) => new Date(ms).toISOString().slice(0, 10);

export const addDays = (day, n) => text(at(day) + n * DAY_MS);
export const daysFrom = (first, last) => Math.round((at(last) - at(first)) / DAY_MS) + 1;
/** 0 on Mondays. */
const weekday = (day) => (new Date(at(day)).getUTCDay() + 6) % 7;

export const monthOf = (day) => day.slice(0, 7);

/** The month so many months after another. */
function addMonths(month, n) {
  const [year, number] = month.split("-").map(Number);
  return text(Date.UTC(year, number - 1 + n, 1)).slice(0, 7);
}
const monthEnds = (month) => ({ first: `${month}-01`, last: addDays(`${addMonths(month, 1)}-01`, -1) });

function weekOf(year, week) {
  const fourth = `${year}-01-04`;
  return addDays(fourth, 7 * (Number(week) - 1) - weekday(fourth));
}

/** The ISO week that begins on a Monday. */
function weekId(monday) {
  const year = addDays(monday, 3).slice(0, 4);
  return `${year}-W${String(Math.round((at(monday) - at(weekOf(year, 1))) / DAY_MS / 7) + 1).padStart(2, "0")}`;
}

export class Periods {
  /**
   * @param {{periods: {id: string, last: string, weeks: number, label: string}[], days: ?{first: string, last: string}, words: Object<string, string>}} config
   * `days` is what free periods must lie within; null where only listed ones are offered
   */
  constructor(config) {
    this.listed = config.periods;
    this.days = config.days;
    this.words = config.words;
    this.byId = new Map(config.periods.map((one) => [one.id, one]));
  }

  /** What an id stands for: first and last day, span ("day", "month", "1", "4", "13", "52" or "days") and label. */
  read(id) {
    const listed = this.byId.get(id);
    if (listed) return { id, span: String(listed.weeks), weeks: listed.weeks, first: addDays(listed.last, 1 - 7 * listed.weeks), last: listed.last, label: listed.label };
    let found;
    if ((found = WEEKS.exec(id))) {
      const first = weekOf(found[1], found[2]);
      return this.named(id, "days", first, addDays(found[3] ? weekOf(found[3], found[4]) : first, 6));
    }
    if (MONTH.test(id)) return this.named(id, "month", ...Object.values(monthEnds(id)));
    if ((found = DAYS.exec(id))) return this.named(id, found[2] ? "days" : "day", found[1], found[2] ?? found[1]);
    return null;
  }

  named(id, span, first, last) {
    const label = span === "days" ? this.words.period.replace("{first}", first).replace("{last}", last) : id;
    return { id, span, first, last, label };
  }

  /** The id of the days between two ends, as the server names it; null where it is not offered. */
  between(one, other) {
    const [first, last] = [one, other].sort();
    const whole = weekday(first) === 0 && daysFrom(first, last) % 7 === 0;
    const end = addDays(last, -6);
    const weeks = first === end ? weekId(first) : `${weekId(first)}--${weekId(end)}`;
    if (whole && this.byId.has(weeks)) return weeks;
    if (!this.days || first < this.days.first || last > this.days.last) return null;
    if (whole) return weeks;
    const month = monthEnds(monthOf(first));
    if (month.first === first && month.last === last) return monthOf(first);
    return first === last ? first : `${first}--${last}`;
  }

  get months() {
    const { first, last } = this.days;
    const begun = first.endsWith("-01") ? monthOf(first) : addMonths(monthOf(first), 1);
    return { begun, ended: monthEnds(monthOf(last)).last === last ? monthOf(last) : addMonths(monthOf(last), -1) };
  }

  /** How many periods of a kind there are, and which of them one is: what a slider tells. */
  place(period) {
    const { span } = period;
    if (this.byId.has(period.id)) {
      const choice = this.listed.filter((one) => String(one.weeks) === span);
      return { n: choice.length, at: choice.length - 1 - choice.findIndex((one) => one.id === period.id) };
    }
    if (span === "month") {
      const { begun, ended } = this.months;
      const index = (month) => Number(month.slice(0, 4)) * 12 + Number(month.slice(5));
      return { n: index(ended) - index(begun) + 1, at: index(period.id) - index(begun) };
    }
    const length = daysFrom(period.first, period.last);
    const n = Math.max(1, Math.floor(daysFrom(this.days.first, this.days.last) / length));
    return { n, at: Math.min(n - 1, Math.floor((daysFrom(this.days.first, period.first) - 1) / length)) };
  }

  /** The period so many steps of its own length later; null where the data end before. */
  moved(id, by) {
    const period = this.read(id);
    if (!period) return null;
    if (this.byId.has(id)) {
      const choice = this.listed.filter((one) => one.weeks === period.weeks);
      return choice[choice.findIndex((one) => one.id === id) - by]?.id ?? null;
    }
    if (period.span === "month") {
      const month = addMonths(id, by);
      return month >= this.months.begun && month <= this.months.ended ? month : null;
    }
    const days = by * daysFrom(period.first, period.last);
    return this.between(addDays(period.first, days), addDays(period.last, days));
  }

  /** The first or the last period of the kind of another. */
  utmost(id, last) {
    const period = this.read(id);
    if (this.byId.has(id)) return this.listed.filter((one) => one.weeks === period.weeks).at(last ? 0 : -1).id;
    if (period.span === "month") return this.months[last ? "ended" : "begun"];
    const length = daysFrom(period.first, period.last) - 1;
    return last ? this.between(addDays(this.days.last, -length), this.days.last) : this.between(this.days.first, addDays(this.days.first, length));
  }

  /** The period of another span that ends when one ends, or else the newest that ends before; of a week, the one that a day lies in. */
  withSpan(id, span) {
    const { first, last } = this.read(id) ?? { first: "", last: "9999-12-31" };
    if (span === "day") return last > this.days.last ? this.days.last : last;
    if (span === "month") {
      const { begun, ended } = this.months;
      const month = monthEnds(monthOf(last)).last > last && first < `${monthOf(last)}-01` ? addMonths(monthOf(last), -1) : monthOf(last);
      return [begun, month, ended].sort()[1];
    }
    const choice = this.listed.filter((one) => String(one.weeks) === span);
    const holds = daysFrom(first || last, last) < 7 && choice.find((one) => one.last >= last && addDays(one.last, 1 - 7 * one.weeks) <= first && span === "1");
    return (holds || choice.find((one) => one.last <= last) || choice.at(-1) || { id }).id;
  }

  /** What the list of periods offers beside a chosen one, newest first. */
  options(id) {
    const period = this.read(id);
    const listed = this.byId.has(id);
    if (listed) return this.listed.filter((one) => one.weeks === period.weeks).map((one) => ({ value: one.id, label: one.label }));
    if (period?.span !== "month" && period?.span !== "day") return [{ value: id, label: period?.label ?? id }];
    const ids = [];
    const most = period.span === "day" ? LISTED : Infinity;
    const back = period.span === "day" ? Math.min(LISTED, this.place(period).at) : this.place(period).at;
    for (let one = this.moved(id, -back) ?? id, n = 0; one && n <= back + most; one = this.moved(one, 1), n += 1) ids.push(one);
    return ids.reverse().map((one) => ({ value: one, label: this.read(one).label }));
  }
}
