/**
 * What is made of a query's matches.
 *
 *   | keys               | each key once, sorted |
 *   | raw_keys           | the key of each match, in index order |
 *   | terms              | (term, key), sorted |
 *   | raw_terms          | (term, key), in index order |
 *   | count              | how many keys |
 *   | raw_count          | how many matches |
 *   | term_with_count    | for each term, how many keys |
 *   | term_with_rawcount | for each term, how many matches |
 *
 * The term is that of the index, or the attribute that `accumulation_term` names; matches without it
 * are left out then.
 */

import { refusal } from './refusal.ts';
import type { QueryRefusal } from './refusal.ts';

const ACCUMULATIONS = [
  'keys',
  'raw_keys',
  'terms',
  'raw_terms',
  'count',
  'raw_count',
  'term_with_count',
  'term_with_rawcount',
] as const;

export type Accumulation = (typeof ACCUMULATIONS)[number];

export interface AccumulationRequest {
  readonly accumulation: Accumulation;
  /** Without `$`; undefined: the term of the index. */
  readonly attribute: string | undefined;
  /** For `terms` and `raw_keys` of single ranges only; both then come in index order. */
  readonly maxResults: number | undefined;
}

const COMBINED = new Set<Accumulation>(['keys', 'raw_keys', 'count', 'raw_count']);
const PAGED = new Set<Accumulation>(['terms', 'raw_keys']);
const TERMED = new Set<Accumulation>([
  'terms',
  'raw_terms',
  'term_with_count',
  'term_with_rawcount',
]);

export function parseAccumulation(
  members: Readonly<Record<string, unknown>>,
  isCombined: boolean,
): AccumulationRequest | QueryRefusal {
  const {
    accumulation_option: option = 'keys',
    accumulation_term: term,
    max_results: maxResults,
  } = members;
  const accumulation = ACCUMULATIONS.find((name) => name === option);
  if (accumulation === undefined) {
    const shown = typeof option === 'string' ? option.slice(0, 40) : typeof option;
    return refusal('accumulation_option', `Unrecognised option <<"${shown}">>`);
  }
  if (isCombined && !COMBINED.has(accumulation)) {
    return refusal('accumulation_option', 'Unsupported option in combination query');
  }
  const attribute = parseAttribute(term, accumulation);
  if (typeof attribute === 'object') return attribute;
  if (maxResults === undefined) return { accumulation, attribute, maxResults };
  if (typeof maxResults !== 'number' || !Number.isSafeInteger(maxResults) || maxResults < 1) {
    return refusal('max_results', 'Invalid max_results: not a positive integer');
  }
  if (isCombined || !PAGED.has(accumulation)) {
    const type = isCombined ? 'combo_query' : 'single_query';
    return refusal(
      'max_results',
      `Invalid combination max_results ${maxResults} query_type ${type} ` +
        `accumulation_option ${accumulation}`,
    );
  }
  return { accumulation, attribute, maxResults };
}

/** With or without its `$`: both are in use. */
function parseAttribute(
  term: unknown,
  accumulation: Accumulation,
): string | undefined | QueryRefusal {
  if (term === undefined) return undefined;
  const name = typeof term === 'string' ? /^\$?([A-Za-z_]\w{0,255})$/.exec(term)?.[1] : undefined;
  if (name !== undefined && TERMED.has(accumulation)) return name === 'term' ? undefined : name;
  const shown = typeof term === 'string' ? `<<"${term.slice(0, 40)}">>` : typeof term;
  return refusal('accumulation_term', `Bad term ${shown} with option ${accumulation}`);
}
