/**
 * Index terms of what is written, and the ranges that queries ask for.
 *
 * The spine's are those of basho_bench's NHS driver: up to so many postcode terms with one
 * name-like ending, one date of birth, one time of change. Prescriptions carry the composite terms
 * that a prescription service keeps. All are synthetic.
 */

import { utf8ToByteString } from '../../src/base/bytes.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import type { SeededRandom } from '../../src/cli/demo/patient-records.ts';
import type { IndexEntry } from '../../src/object/stored-object.ts';
import type { QueryName, TermsName } from './schema.ts';

/** As the driver has them, its slips included. */
const POSTCODE_AREAS =
  `AB AL B BA BB BD BH BL BN BR BS BT CA CB CF CH CM CO CR CT CV CW DA DD DE DG DH DL DN
  DT DU E EC EH EN EX FK FY G GL GU HA HD HG HP HR HS HU HX IG IP IV KA KT KW KY L LA LD LE LL LS LU M ME
  MK ML N NE NG MM NP NR NW OL OX`.split(/\s+/);
const DISTRICTS = 26;
const POSTCODE_STARTS = ['ba', 'ca', 'da', 'ea', 'fa', 'ga', 'gb', 'gc'];
const FAMILY_NAMES = [
  'BROWN',
  'DAVIES',
  'EVANS',
  'JONES',
  'KHAN',
  'OKAFOR',
  'PATEL',
  'SMITH',
  'TAYLOR',
];
const GIVEN_NAMES = ['ANNE', 'IAN', 'JOAN', 'KOFI', 'LEAH', 'MARIE', 'OMAR', 'PIA', 'TOM', 'ZOE'];
const SITES = 200;
const STATUSES = ['0001', '0002', '0003', '0006', '0008'];
const STATES = ['queued', 'active', 'done'];
const DAY_SECONDS = 86_400;
/** Dates of birth lie in the 2.5 · 10^9 seconds from 1933 on; the driver counts from year 0. */
const BIRTH_EPOCH_SECONDS = 61_000_000_000 - 62_167_219_200;
const BIRTH_SPAN_SECONDS = 2_500_000_000;

export interface TermsOptions {
  /** Postcode terms of a record at most. */
  readonly postcodes: number;
  /** The time of the write. */
  readonly nowMs: number;
}

export function makeTerms(
  name: TermsName,
  random: SeededRandom,
  options: TermsOptions,
): readonly IndexEntry[] {
  switch (name) {
    case 'none':
      return [];
    case 'spine_record':
      return [...postcodeTerms(random, options), birthTerm(random), modifiedTerm(options.nowMs)];
    case 'spine_document':
      return [modifiedTerm(options.nowMs)];
    case 'pds_record':
      return pdsTerms(random, options);
    case 'eps_record':
      return epsTerms(random, options);
    case 'message':
      return [entry('state_bin', random.pick(STATES)), activityTerm(random, options.nowMs)];
  }
}

/** What documents of the query API may have drawn, by name. */
export const DRAWS: Readonly<Record<string, (random: SeededRandom) => string>> = {
  birth_day: birthDay,
  birth_year: (random) => birthDay(random).slice(0, 4),
  family_name: (random) => random.pick(FAMILY_NAMES),
  family_prefix: (random) => random.pick(FAMILY_NAMES).slice(0, 2),
  given_name: (random) => random.pick(GIVEN_NAMES),
  postcode_district: postcodeDistrict,
  site,
  status: (random) => random.pick(STATUSES),
};

export interface TermRange {
  readonly field: ByteString;
  readonly from: ByteString;
  readonly to?: ByteString;
  readonly termRegex?: ByteString;
}

/** What a query asks for; `key_range` is the business of the set of keys. */
export function makeRange(
  name: Exclude<QueryName, 'key_range'>,
  random: SeededRandom,
  nowMs: number,
): TermRange {
  switch (name) {
    case 'postcode': {
      const district = postcodeDistrict(random);
      return range('postcode_bin', `${district}|${random.pick(POSTCODE_STARTS)}`, `${district}|gd`);
    }
    case 'date_of_birth': {
      const month = `${1951 + random.integer(70)}0${1 + random.integer(9)}`;
      const found = range('dateofbirth_bin', `${month}04`, `${month}05`);
      return { ...found, termRegex: utf8ToByteString('[0-9]{8}...[a-d]') };
    }
    case 'people_finder': {
      const born = birthDay(random);
      const found = range('peoplefinder_bin', `${born}|`, `${born}|~`);
      const family = random.pick(FAMILY_NAMES).slice(0, 2);
      return { ...found, termRegex: utf8ToByteString(`^[0-9]{8}[|]${family}`) };
    }
    case 'worklist':
      return { field: utf8ToByteString('nomPharmStatus_bin'), from: worklist(random) };
    case 'next_activity': {
      const today = dayText(Math.floor(nowMs / 1_000));
      return range('nextActivityNAD_bin', 'delete_', `delete_${today}`);
    }
    case 'state':
      return { field: utf8ToByteString('state_bin'), from: utf8ToByteString(random.pick(STATES)) };
  }
}

function postcodeTerms(random: SeededRandom, { postcodes }: TermsOptions): IndexEntry[] {
  const ending = nameLike(random);
  const count = 1 + random.integer(postcodes);
  return Array.from({ length: count }, () => {
    return entry('postcode_bin', `${postcodeDistrict(random)}|${ending}`);
  });
}

function birthTerm(random: SeededRandom): IndexEntry {
  return entry('dateofbirth_bin', `${birthDay(random)}|${nameLike(random)}`);
}

function modifiedTerm(nowMs: number): IndexEntry {
  return entry('lastmodified_bin', new Date(nowMs).toISOString().slice(0, 19));
}

function pdsTerms(random: SeededRandom, options: TermsOptions): IndexEntry[] {
  const born = birthDay(random);
  const family = random.pick(FAMILY_NAMES);
  const given = `${random.pick(GIVEN_NAMES)}.${random.pick(GIVEN_NAMES)}`;
  const addresses = Array.from({ length: 1 + random.integer(options.postcodes) }, () => {
    return `${postcodeDistrict(random)}_${random.integer(10)}ZZ`;
  });
  return [
    ...addresses.map((place) => entry('peoplefinder_bin', `${born}|${family}|${given}|${place}`)),
    entry('postcode_bin', addresses[0] ?? ''),
    entry('dateofbirth_bin', born),
    entry('gp_bin', site(random)),
    modifiedTerm(options.nowMs),
  ];
}

function epsTerms(random: SeededRandom, options: TermsOptions): IndexEntry[] {
  const patient = `999${String(random.integer(10_000_000)).padStart(7, '0')}`;
  const prescriber = site(random);
  const dispenser = site(random);
  const status = random.pick(STATUSES);
  const time = new Date(options.nowMs).toISOString().replace(/\D/g, '').slice(0, 14);
  return [
    entry('nhsNumber_bin', patient),
    entry('nhsNumberDate_bin', `${patient}|${time}|R2|${status}`),
    entry('nhsNumberPrescriberDate_bin', `${patient}|${prescriber}|${time}|R2|${status}`),
    entry('nhsNumberDispenserDate_bin', `${patient}|${dispenser}|${time}|R2|${status}`),
    entry('prescriberDate_bin', `${prescriber}|${time}|R2|${status}`),
    entry('dispenserDate_bin', `${dispenser}|${time}|R2|${status}`),
    entry('prescribingSiteStatus_bin', `${prescriber}_${status}`),
    entry('dispensingSiteStatus_bin', `${dispenser}_${status}`),
    entry('nomPharmStatus_bin', `${dispenser}_${status}`),
    activityTerm(random, options.nowMs),
    entry('delta_bin', `${time}|${random.integer(1_000)}`),
  ];
}

/** A few are due by now, the others within eighteen months. */
function activityTerm(random: SeededRandom, nowMs: number): IndexEntry {
  const dueDays = random.integer(540) - 1;
  const day = dayText(Math.floor(nowMs / 1_000) + dueDays * DAY_SECONDS);
  return entry('nextActivityNAD_bin', `delete_${day}`);
}

function worklist(random: SeededRandom): ByteString {
  return utf8ToByteString(`${site(random)}_0001`);
}

function site(random: SeededRandom): string {
  return `Y${String(random.integer(SITES)).padStart(5, '0')}`;
}

function postcodeDistrict(random: SeededRandom): string {
  return `${random.pick(POSTCODE_AREAS)}${1 + random.integer(DISTRICTS)}`;
}

/** The base64 of four random bytes, without its padding. */
function nameLike(random: SeededRandom): string {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(Math.floor(random.next() * 2 ** 32));
  return bytes.toString('base64').slice(0, 6);
}

function birthDay(random: SeededRandom): string {
  return dayText(BIRTH_EPOCH_SECONDS + Math.floor(random.next() * BIRTH_SPAN_SECONDS));
}

function dayText(seconds: number): string {
  return new Date(seconds * 1_000).toISOString().slice(0, 10).replaceAll('-', '');
}

function range(field: string, from: string, to: string): TermRange {
  const [low, high] = [utf8ToByteString(from), utf8ToByteString(to)];
  return { field: utf8ToByteString(field), from: low, to: high };
}

function entry(field: string, term: string): IndexEntry {
  return { field: utf8ToByteString(field), term: utf8ToByteString(term) };
}
