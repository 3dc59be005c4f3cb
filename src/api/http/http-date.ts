/**
 * Dates as HTTP writes them (RFC 9110, section 5.6.7), to the second.
 *
 * Formatting remembers the last second it wrote: a busy node writes the same few again and again.
 * Parsing takes the three historical forms and nothing that merely looks like a date, because a date
 * that is no date is to be ignored.
 */

let lastSecond = -1;
let lastText = '';

/** `micros` since 1970, as `Sun, 06 Nov 1994 08:49:37 GMT`. */
export function formatHttpDate(micros: number): string {
  const second = Math.floor(micros / 1_000_000);
  if (second !== lastSecond) {
    lastText = new Date(second * 1000).toUTCString();
    lastSecond = second;
  }
  return lastText;
}

const MONTHS = 'Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec';
const FORMS = [
  // Sun, 06 Nov 1994 08:49:37 GMT
  new RegExp(
    `^\\w{3}, (?<day>\\d\\d) (?<month>${MONTHS}) (?<year>\\d{4}) (?<time>\\d\\d:\\d\\d:\\d\\d) GMT$`,
  ),
  // Sunday, 06-Nov-94 08:49:37 GMT
  new RegExp(
    `^\\w{6,9}, (?<day>\\d\\d)-(?<month>${MONTHS})-(?<year>\\d\\d) (?<time>\\d\\d:\\d\\d:\\d\\d) GMT$`,
  ),
  // Sun Nov  6 08:49:37 1994
  new RegExp(
    `^\\w{3} (?<month>${MONTHS}) (?<day>[ \\d]\\d) (?<time>\\d\\d:\\d\\d:\\d\\d) (?<year>\\d{4})$`,
  ),
];

/** Seconds since 1970, or undefined where `text` is no HTTP date. */
export function parseHttpDate(text: string): number | undefined {
  for (const form of FORMS) {
    const found = form.exec(text)?.groups;
    if (found === undefined) continue;
    const { day = '', month = '', year = '', time = '' } = found;
    const fullYear = year.length === 2 ? `${Number(year) < 70 ? '20' : '19'}${year}` : year;
    const millis = Date.parse(`${day.trim()} ${month} ${fullYear} ${time} GMT`);
    return Number.isNaN(millis) ? undefined : millis / 1000;
  }
  return undefined;
}
