/**
 * Records for the index bench: five index terms each, made from their number alone.
 *
 * The people finder's term is composite: birth date, family name, given names, postal code. All are
 * spread evenly, so that what a query must read can be told from the figures here.
 */

import { SeededRandom } from '../src/cli/demo/patient-records.ts';

export interface IndexedRecord {
  readonly key: string;
  readonly terms: readonly (readonly [field: string, term: string])[];
}

const STARTS = ['Sm', 'Br', 'Ok', 'Pa', 'Jo', 'Wa', 'Li', 'Ko', 'Da', 'Mc'];
const MIDDLES = ['ith', 'own', 'afor', 'tel', 'nes', 'lker', 'nd', 'wal'];
const ENDS = ['', 'son', 'er', 'ski', 'ton'];
const GIVEN = ['ANNE', 'MARIE', 'KOFI', 'LEAH', 'OMAR', 'ZOE', 'IAN', 'JOAN', 'PIA', 'TOM'];

/** Records with the same `gp_bin` term. */
export const RECORDS_PER_PRACTICE = 200;
export const FIRST_YEAR = 1925;
export const YEAR_COUNT = 100;

export function indexedRecord(serial: number): IndexedRecord {
  const random = new SeededRandom(serial + 1);
  const year = FIRST_YEAR + random.integer(YEAR_COUNT);
  const born = `${year}${twoDigits(1 + random.integer(12))}${twoDigits(1 + random.integer(28))}`;
  const family = (random.pick(STARTS) + random.pick(MIDDLES) + random.pick(ENDS)).toUpperCase();
  const given = `${random.pick(GIVEN)}.${random.pick(GIVEN)}`;
  const postcode = `ZZ${10 + random.integer(89)}_${1 + random.integer(9)}ZZ`;
  return {
    key: serialText(serial),
    terms: [
      ['peoplefinder_bin', `${born}|${family}|${given}|${postcode}`],
      ['postcode_bin', postcode],
      ['dateofbirth_bin', born],
      ['gp_bin', practice(Math.floor(serial / RECORDS_PER_PRACTICE))],
      ['serial_bin', serialText(serial)],
    ],
  };
}

export function practice(index: number): string {
  return `Y${String(index).padStart(6, '0')}`;
}

export function serialText(serial: number): string {
  return String(serial).padStart(9, '0');
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
