/**
 * Synthetic patients, made from a seed.
 *
 * No record can be mistaken for a person's: each NHS number is from the 999 range, which is reserved
 * for tests and never issued, with a valid modulus-11 check digit. The same seed gives the same
 * records, so a reader can tell what should be there without having stored it.
 */

/** A small seeded generator (mulberry32): good enough for data, not for secrets. */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 <= result < 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** 0 <= result < below. */
  integer(below: number): number {
    return Math.floor(this.next() * below);
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.integer(choices.length)] as T;
  }
}

export interface Address {
  readonly lines: readonly string[];
  readonly postcode: string;
  readonly from: string;
  readonly to: string | null;
}

export interface PatientRecord {
  readonly nhsNumber: string;
  readonly familyName: string;
  readonly givenNames: readonly string[];
  readonly birthDate: string;
  readonly gender: 'female' | 'male' | 'other' | 'unknown';
  readonly addresses: readonly Address[];
  readonly registeredPractice: string;
  readonly version: number;
  readonly notes: readonly string[];
}

const FAMILY_NAMES = words(`
  Ahmed Begum Brown Campbell Davies Evans Fletcher Green Hughes Iqbal Jones Khan Lewis
  MacDonald Nguyen Okafor Patel Quinn Roberts Singh Taylor Usman Vaughan Williams Young
`);
const GIVEN_NAMES = words(`
  Aisha Benjamin Catherine David Eleanor Farah George Hannah Isaac Jasmine Kofi Leah
  Mohammed Niamh Oliver Priya Quentin Rhys Sofia Thomas Una Victor Wren Yusuf Zoë
`);
const STREETS = words(
  `
  High Street, Station Road, Church Lane, Mill Lane, Victoria Road, Green Lane, Manor
  Road, Park Avenue, Queens Road, The Crescent
`,
  /,\s*/,
);
const TOWNS = words(
  `
  Aberystwyth, Bradford, Carlisle, Derby, Exeter, Falmouth, Grimsby, Hastings,
  Ipswich, Kendal, Leeds, Matlock, Norwich, Oldham, Penzance, Ripon, Stroud, Truro
`,
  /,\s*/,
);

/** The NHS number of a serial, 0 <= serial < 500,000; different serials have different numbers. */
export function nhsNumber(serial: number): string {
  // One remainder in eleven has no check digit, never two in a row; so each serial owns a pair of
  // candidates and takes the first that has one.
  for (let offset = 0; offset < 2; offset += 1) {
    const nine = `999${String(serial * 2 + offset).padStart(6, '0')}`;
    const check = checkDigit(nine);
    if (check !== undefined) return nine + String(check);
  }
  throw new RangeError(`no NHS number for serial ${serial}`);
}

/** Modulus 11 over nine digits with weights 10 to 2; undefined where the scheme has none. */
export function checkDigit(nine: string): number | undefined {
  let sum = 0;
  for (let index = 0; index < 9; index += 1) sum += Number(nine[index]) * (10 - index);
  const check = (11 - (sum % 11)) % 11;
  return check === 10 ? undefined : check;
}

/** The record of a serial: 2 to 20 KB of JSON. */
export function patientRecord(seed: number, serial: number): PatientRecord {
  const random = new SeededRandom(seed ^ Math.imul(serial + 1, 0x9e3779b1));
  const addressCount = 1 + random.integer(6);
  return {
    nhsNumber: nhsNumber(serial),
    familyName: random.pick(FAMILY_NAMES),
    givenNames: Array.from({ length: 1 + random.integer(3) }, () => random.pick(GIVEN_NAMES)),
    birthDate: day(random, 1925, 100),
    gender: random.pick(['female', 'male', 'other', 'unknown']),
    addresses: Array.from({ length: addressCount }, (_, index) => ({
      lines: [`${1 + random.integer(200)} ${random.pick(STREETS)}`, random.pick(TOWNS)],
      postcode: `ZZ${10 + random.integer(89)} ${1 + random.integer(9)}ZZ`,
      from: day(random, 1990 + index * 5, 5),
      to: index + 1 < addressCount ? day(random, 1995 + index * 5, 5) : null,
    })),
    registeredPractice: `Y${10_000 + random.integer(89_999)}`,
    version: 1,
    notes: notes(random, 2_000 + random.integer(17_000)),
  };
}

function day(random: SeededRandom, fromYear: number, years: number): string {
  const month = String(1 + random.integer(12)).padStart(2, '0');
  const date = String(1 + random.integer(28)).padStart(2, '0');
  return `${fromYear + random.integer(years)}-${month}-${date}`;
}

const WORDS = words(`
  seen referred reviewed clinic discharge summary telephone contact updated address
  confirmed consent recorded follow-up appointment practice letter sent received no change
`);

function notes(random: SeededRandom, sizeBytes: number): string[] {
  const lines: string[] = [];
  let total = 0;
  while (total < sizeBytes) {
    const words = Array.from({ length: 8 + random.integer(12) }, () => random.pick(WORDS));
    const line = `${day(random, 2000, 25)}: ${words.join(' ')}`;
    lines.push(line);
    total += line.length + 3;
  }
  return lines;
}

function words(text: string, separator: string | RegExp = /\s+/): string[] {
  return text
    .trim()
    .split(separator)
    .map((word) => word.replace(/\s+/g, ' '));
}
