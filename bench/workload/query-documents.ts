/**
 * Documents of the query API as a workload writes them: the API's own JSON, with names in braces that
 * stand for something drawn at random, `{birth_year}`.
 *
 * The draws are those that index terms are made of, so that queries find what operations have
 * written. One name stands for one thing throughout a document. A document is checked by the code
 * that nodes check it with, before anything is asked.
 */

import { SeededRandom } from '../../src/cli/demo/patient-records.ts';
import { findNearestName } from '../../src/config/nearest-name.ts';
import { parseQueryRequest } from '../../src/query/query-request.ts';
import { describeRefusal } from '../../src/query/refusal.ts';
import { DRAWS } from './index-terms.ts';

export type QueryDocument = Readonly<Record<string, unknown>>;

/** JSON has no braces around bare words. */
const PLACEHOLDER = /\{([a-z_]+)\}/g;

/** The body of a request. */
export function fillQuery(document: QueryDocument, random: SeededRandom): string {
  const drawn = new Map<string, string>();
  return JSON.stringify(document).replace(PLACEHOLDER, (whole, name: string) => {
    let text = drawn.get(name);
    if (text === undefined) {
      text = DRAWS[name]?.(random) ?? whole;
      drawn.set(name, text);
    }
    return text;
  });
}

/** What is wrong with it, as the end of a sentence; undefined: it is sound. */
export function findQueryFault(document: QueryDocument): string | undefined {
  for (const [, name = ''] of JSON.stringify(document).matchAll(PLACEHOLDER)) {
    if (Object.hasOwn(DRAWS, name)) continue;
    const known = Object.keys(DRAWS);
    const nearest = findNearestName(name, known);
    const hint =
      nearest === undefined ? `there are ${known.join(', ')}` : `did you mean ${nearest}?`;
    return `has {${name}}, for which nothing is drawn; ${hint}`;
  }
  const request = parseQueryRequest(JSON.parse(fillQuery(document, new SeededRandom(1))));
  return 'stage' in request ? `is no query: ${describeRefusal(request)}` : undefined;
}
