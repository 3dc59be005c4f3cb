/**
 * Expressions over single entries, as tests write them.
 */

import { entryMatcher } from '../../src/query/entry-matcher.ts';
import { parseEvaluation } from '../../src/query/evaluation.ts';
import { parseFilter } from '../../src/query/filter.ts';
import { canonicalInteger } from '../../src/query/value.ts';
import { byteStringToUtf8, utf8ToByteString } from '../../src/base/bytes.ts';
import type { EntryMatcher } from '../../src/query/entry-matcher.ts';
import type { Substitutions } from '../../src/query/tokens.ts';

export function substitutions(values: Readonly<Record<string, string | number>>): Substitutions {
  return new Map(
    Object.entries(values).map(([name, value]) => [
      name,
      typeof value === 'string' ? utf8ToByteString(value) : canonicalInteger(BigInt(value)),
    ]),
  );
}

export function compile(
  evaluation: string,
  filter: string,
  options: {
    readonly attribute?: string;
    readonly values?: Readonly<Record<string, string | number>>;
  } = {},
): EntryMatcher {
  const given = substitutions(options.values ?? {});
  const stages = parseEvaluation(evaluation, given);
  if (stages.kind !== 'parsed') throw new Error(`${evaluation}: ${stages.reason}`);
  const condition = parseFilter(filter, given);
  if (condition.kind !== 'parsed') throw new Error(`${filter}: ${condition.reason}`);
  return entryMatcher(
    { kind: 'filter', stages: stages.value, filter: condition.value },
    options.attribute,
  );
}

/** Whether the entry is a match. */
export function holds(
  evaluation: string,
  filter: string,
  entry: {
    readonly term: string;
    readonly key?: string;
    readonly values?: Readonly<Record<string, string | number>>;
  },
): boolean {
  const { term, key = 'k1', values = {} } = entry;
  const matcher = compile(evaluation, filter, { values });
  return matcher.matches(utf8ToByteString(term), utf8ToByteString(key));
}

/** The text of an attribute after the evaluation; undefined: absent, or a list. */
export function evaluated(
  evaluation: string,
  attribute: string,
  entry: {
    readonly term: string;
    readonly key?: string;
    readonly values?: Readonly<Record<string, string | number>>;
  },
): string | undefined {
  const { term, key = 'k1', values = {} } = entry;
  const matcher = compile(evaluation, 'attribute_exists($key)', { attribute, values });
  matcher.matches(utf8ToByteString(term), utf8ToByteString(key));
  const text = matcher.group();
  return text === undefined ? undefined : byteStringToUtf8(text);
}
