/**
 * Bytes that earlier builds wrote mean today what they meant then, and today's are those of the newest set.
 *
 * Old builds are not needed for that: `test/formats/NUMBER.json` has what they wrote (`README.md` there).
 */

import t from 'tap';
import { FORMATS, type Format } from './formats.ts';
import { pinnedSets, shown, type Pin } from './pinned.ts';

const sets = pinnedSets();
const newest = sets.at(-1)?.pins ?? {};

/** What `run` gives, or what it throws: one pin that cannot be read must not hide the others. */
function tried(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return { thrown: String(error) };
  }
}

function readAgain({ decode }: Format, { bytes }: Pin): unknown {
  return tried(() => shown(decode(Buffer.from(bytes, 'hex'))));
}

for (const { number, pins } of sets) {
  t.test(`what set ${number} pins is read as it was meant`, (t) => {
    for (const format of FORMATS) {
      for (const pin of pins[format.name] ?? []) {
        t.same(readAgain(format, pin), pin.value, `${format.name}: ${pin.kind}`);
      }
    }
    const known = new Set(FORMATS.map(({ name }) => name));
    const unknown = Object.keys(pins).filter((name) => !known.has(name));
    t.same(unknown, [], 'no format has been forgotten here');
    t.end();
  });
}

t.test('what is read from the newest set is written as it stands there', (t) => {
  for (const { name, encode, decode } of FORMATS) {
    for (const { kind, bytes } of newest[name] ?? []) {
      const written = tried(() => {
        const value = decode(Buffer.from(bytes, 'hex')) as never;
        return encode(value).toString('hex');
      });
      t.equal(written, bytes, `${name}: ${kind}`);
    }
  }
  t.end();
});

t.test('the newest set has every kind of everything', (t) => {
  const missing = FORMATS.flatMap(({ name, samples }) => {
    const pinned = new Set(newest[name]?.map(({ kind }) => kind));
    return samples()
      .filter(({ kind }) => !pinned.has(kind))
      .map(({ kind }) => `${name}: ${kind}`);
  });
  t.same(missing, [], 'a new kind is pinned as test/formats/README.md says');
  t.end();
});
