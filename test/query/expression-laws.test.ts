/**
 * Laws of expressions: they read back as what they say, mean what the plain rules say, and whatever is
 * written in their place is answered.
 */

import fc from 'fast-check';
import t from 'tap';
import { parseCombination } from '../../src/query/combination.ts';
import { entryMatcher } from '../../src/query/entry-matcher.ts';
import { parseEvaluation } from '../../src/query/evaluation.ts';
import { parseFilter } from '../../src/query/filter.ts';
import * as arbitrary from './arbitrary-expressions.ts';
import { evaluateNaively, holdsNaively } from './naive-evaluation.ts';
import type { ByteString } from '../../src/base/bytes.ts';

const { evaluationText, filterText } = arbitrary;
const NO_SUBSTITUTIONS = new Map();

t.test('an evaluation reads back as what it says', (t) => {
  fc.assert(
    fc.property(arbitrary.evaluation, (stages) => {
      const parsed = parseEvaluation(evaluationText(stages), NO_SUBSTITUTIONS);
      t.same(parsed, { kind: 'parsed', value: stages });
    }),
    { numRuns: 300 },
  );
  t.end();
});

t.test('a filter reads back as what it says', (t) => {
  fc.assert(
    fc.property(arbitrary.filter, (condition) => {
      const parsed = parseFilter(filterText(condition), NO_SUBSTITUTIONS);
      t.same(parsed, { kind: 'parsed', value: condition });
    }),
    { numRuns: 300 },
  );
  t.end();
});

t.test('a compiled query judges entries as the plain rules do', (t) => {
  let matchCount = 0;
  let checkCount = 0;
  fc.assert(
    fc.property(
      arbitrary.evaluation,
      arbitrary.filter,
      fc.array(arbitrary.entry, { minLength: 1, maxLength: 5 }),
      (stages, condition, entries) => {
        const matcher = entryMatcher({ kind: 'filter', stages, filter: condition }, 'a');
        for (const entry of entries) {
          const attributes = evaluateNaively(stages, entry);
          const isMatch = matcher.matches(entry.term as ByteString, entry.key as ByteString);
          if (isMatch !== holdsNaively(condition, attributes)) {
            throw new Error(`${isMatch} for ${JSON.stringify(entry)}`);
          }
          const value = attributes.get('a');
          const group = value === undefined || typeof value === 'object' ? undefined : `${value}`;
          if (matcher.group() !== group) throw new Error(`${matcher.group()}, not ${group}`);
          matchCount += isMatch ? 1 : 0;
          checkCount += 1;
        }
      },
    ),
    { numRuns: 3_000 },
  );
  t.ok(matchCount > checkCount / 10, 'some match');
  t.ok(matchCount < checkCount, 'some do not');
  t.end();
});

t.test('any text is either read or refused at a place within it', (t) => {
  const word = fc.constantFrom(
    ...'delim ( ) , | $a $1 "x" " :s 12 -1 AND OR NOT BETWEEN IN = <='.split(' '),
    ...'UNION INTERSECT SUBTRACT map contains \\ €'.split(' '),
  );
  const text = fc.oneof(
    fc.string({ maxLength: 60, unit: 'binary' }),
    fc.array(word, { maxLength: 60 }).map((words) => words.join(' ')),
  );
  const given = new Map([['s', 'x' as ByteString]]);
  fc.assert(
    fc.property(text, (written) => {
      for (const parsed of [
        parseEvaluation(written, given),
        parseFilter(written, given),
        parseCombination(written),
      ]) {
        if (parsed.kind === 'parsed') continue;
        if (parsed.offset < 0 || parsed.offset > written.length || parsed.reason === '') {
          throw new Error(`${parsed.reason} at ${parsed.offset}`);
        }
      }
    }),
    { numRuns: 2_000 },
  );
  t.pass();
  t.end();
});
