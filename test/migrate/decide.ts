/** What is decided, and that no row of decisions takes from the target what its clients made. */

import fc from 'fast-check';
import t from 'tap';
import { ABSENT } from '../../src/migrate/carried-object.ts';
import { decide } from '../../src/migrate/decide.ts';
import type { Reading, Version } from '../../src/migrate/carried-object.ts';
import type { Entry, Verdict } from '../../src/migrate/decide.ts';

/** An end that shows a value, written so often; undefined: none. */
function reading(value: string | undefined, writes: number): Reading {
  const sibling = { metadata: {}, vtag: '', lastModifiedMicros: 0 };
  return {
    version: (value === undefined ? ABSENT : `version ${writes}`) as Version,
    carried: value === undefined ? undefined : siblings(value),
    context: writes === 0 ? undefined : Buffer.from('c'),
    tombstones: 0,
  };
  function siblings(text: string) {
    return { kind: 'siblings', siblings: [{ ...sibling, value: Buffer.from(text) }] } as const;
  }
}

t.test('each case of what is known and what is shown has its verdict', (t) => {
  const entry: Entry = {
    pass: 1,
    state: 'same',
    source: 'version 1' as Version,
    target: 'version 1' as Version,
  };
  const gone = reading(undefined, 2);
  const never = reading(undefined, 0);
  const cases: readonly (readonly [string, Entry | undefined, Reading, Reading, Verdict])[] = [
    ['the source is as it was', entry, reading('a', 1), gone, 'unchanged'],
    ['only the source changed', entry, reading('b', 2), reading('a', 1), 'replace'],
    ['only the source deleted', entry, gone, reading('a', 1), 'delete'],
    ['both changed', entry, reading('b', 2), reading('c', 2), 'conflict'],
    ['both changed to the same', entry, reading('b', 2), reading('b', 3), 'same'],
    ['both deleted', entry, gone, gone, 'same'],
    ['the source changed, the target deleted', entry, reading('b', 2), gone, 'deleted-at-target'],
    ['the source deleted, the target changed', entry, gone, reading('c', 2), 'conflict'],
    ['nothing is known, nothing there', undefined, reading('a', 1), never, 'create'],
    ['nothing is known, a tombstone there', undefined, reading('a', 1), gone, 'deleted-at-target'],
    ['nothing is known, the same there', undefined, reading('a', 1), reading('a', 7), 'same'],
    ['nothing is known, another there', undefined, reading('a', 1), reading('b', 1), 'conflict'],
    ['nothing is known, only the target has it', undefined, never, reading('b', 1), 'neither'],
    ['nobody has it', undefined, never, gone, 'neither'],
  ];
  for (const [what, known, source, target, verdict] of cases) {
    t.equal(decide(known, source, target), verdict, what);
  }
  t.end();
});

type Step = { readonly at: 'source' | 'target'; readonly value: string | undefined } | 'copy';

t.test('a copy leaves what clients of the target made, and else the source shows', (t) => {
  const value = fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined });
  const write = fc.record({ at: fc.constantFrom('source' as const, 'target' as const), value });
  const step: fc.Arbitrary<Step> = fc.oneof(write, fc.constant('copy' as const));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const ends = { source: reading(undefined, 0), target: reading(undefined, 0) };
      let writes = 0;
      let entry: Entry | undefined;
      /** A client of the target wrote since both ends were last the same. */
      let isOwn = false;
      for (const taken of steps) {
        if (taken !== 'copy') {
          writes += 1;
          ends[taken.at] = reading(taken.value, writes);
          if (taken.at === 'target') isOwn = true;
          continue;
        }
        const before = ends.target;
        const verdict = decide(entry, ends.source, before);
        const isWrite = ['create', 'replace', 'delete'].includes(verdict);
        const shown = ends.source.carried?.kind === 'siblings' ? ends.source.carried : undefined;
        if (isWrite) {
          // Who deletes what the copy had deleted before leaves nothing to be written over.
          const isNothing = before.version === ABSENT && entry?.target === ABSENT;
          if (isOwn && before.context !== undefined && !isNothing) {
            throw new Error(`${verdict} over a client's`);
          }
          writes += 1;
          ends.target = reading(shown?.siblings[0]?.value.toString(), writes);
        }
        if (isWrite || verdict === 'same') {
          const [source, target] = [ends.source.version, ends.target.version];
          entry = { pass: 1, state: 'same', source, target };
          isOwn = false;
        }
        const isLeft = ['conflict', 'deleted-at-target', 'unchanged', 'neither'].includes(verdict);
        if (isLeft && !isOwn && verdict !== 'unchanged' && verdict !== 'neither') {
          throw new Error(`${verdict} where no client wrote at the target`);
        }
      }
    }),
    { numRuns: 300 },
  );
  t.end();
});
