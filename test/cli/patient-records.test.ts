/** Synthetic patients: valid, reserved, unique, of the promised size, and the same each time. */

import fc from 'fast-check';
import t from 'tap';
import { checkDigit, nhsNumber, patientRecord } from '../../src/cli/demo/patient-records.ts';

t.test('an NHS number is from the reserved range and its check digit is right', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 499_999 }), (serial) => {
      const number = nhsNumber(serial);
      return /^999\d{7}$/.test(number) && Number(number[9]) === checkDigit(number.slice(0, 9));
    }),
  );
  // 943 476 5919 is the scheme's own published example.
  t.equal(checkDigit('943476591'), 9);
  t.end();
});

t.test('different serials have different numbers', (t) => {
  const numbers = new Set(Array.from({ length: 20_000 }, (_, serial) => nhsNumber(serial)));
  t.equal(numbers.size, 20_000);
  t.end();
});

t.test('a record is 2 to 20 KB of JSON and the same for the same seed', (t) => {
  for (let serial = 0; serial < 200; serial += 1) {
    const record = JSON.stringify(patientRecord(7, serial));
    t.ok(record.length >= 2_000 && record.length <= 21_000, `${record.length} bytes`);
    t.equal(JSON.stringify(patientRecord(7, serial)), record);
  }
  t.not(JSON.stringify(patientRecord(8, 0)), JSON.stringify(patientRecord(7, 0)));
  t.end();
});
