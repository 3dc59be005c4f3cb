/**
 * Dates as HTTP writes them (RFC 9110, section 5.6.7), to the second.
 *
 * Formatting remembers the last day it wrote: most of what a busy node shows is of the same few.
 * Parsing takes the three historical forms as Erlang's inets does: by position, whatever follows them
 * (the zone is GMT), and two digits of a year are of this century. What is no date is to be ignored.
 */

const DAY_SECONDS = 86_400;
let lastDay = NaN;
/** `Sun, 06 Nov 1994 ` */
let lastDayText = '';

/** `micros` since 1970, as `Sun, 06 Nov 1994 08:49:37 GMT`. */
export function formatHttpDate(micros: number): string {
  const second = Math.floor(micros / 1_000_000);
  const day = Math.floor(second / DAY_SECONDS);
  if (day !== lastDay) {
    lastDayText = new Date(day * DAY_SECONDS * 1000).toUTCString().slice(0, -'00:00:00 GMT'.length);
    lastDay = day;
  }
  const ofDay = second - day * DAY_SECONDS;
  const hour = TWO_DIGITS[Math.floor(ofDay / 3_600)];
  const minute = TWO_DIGITS[Math.floor(ofDay / 60) % 60];
  return `${lastDayText}${hour}:${minute}:${TWO_DIGITS[ofDay % 60]} GMT`;
}

const TWO_DIGITS = Array.from({ length: 60 }, (_, number) => `${number}`.padStart(2, '0'));

const MONTHS = 'Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec';
const TIME = '(?<hour>\\d\\d)(?<colon>.)(?<minute>\\d\\d)\\k<colon>(?<second>\\d\\d)';
const FORMS = [
  // Sun, 06 Nov 1994 08:49:37 GMT
  new RegExp(`^.{3}, (?<day>\\d\\d) (?<month>${MONTHS}) (?<year>\\d{4}) ${TIME}`),
  // Sunday, 06-Nov-94 08:49:37 GMT
  new RegExp(
    `^.{3}[^ ,][^ ]* +(?<day>\\d\\d).(?<month>${MONTHS}).(?<year>\\d\\d)[^ ]* +${TIME}[^ ]* +[^ ]`,
  ),
  // Sun Nov  6 08:49:37 1994
  new RegExp(`^.{3} (?<month>${MONTHS}) (?<day>[ \\d]\\d) ${TIME} (?<year>\\d{4})`),
];

/** Seconds since 1970, or undefined where `text` is no HTTP date. */
export function parseHttpDate(text: string): number | undefined {
  for (const form of FORMS) {
    const found = form.exec(text)?.groups;
    if (found === undefined) continue;
    const { year = '', month = '', day = '', hour = '', minute = '', second = '' } = found;
    const fullYear = Number(year.length === 2 ? `20${year}` : year);
    const monthIndex = MONTHS.split('|').indexOf(month);
    const date = Date.UTC(fullYear, monthIndex, Number(day));
    return date / 1000 + Number(hour) * 3600 + Number(minute) * 60 + Number(second);
  }
  return undefined;
}
