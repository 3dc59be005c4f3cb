/**
 * The map functions of Riak's module `riak_kv_mapreduce`.
 *
 * Each makes a list of results of one object, or of the lack of one; what becomes of a key that holds
 * nothing is the argument's to say, and without an answer the function fails, as Riak's does.
 */

import { decodeTerm } from './external-term.ts';
import { memberOf } from './term-json.ts';
import { printTerm } from './term-print.ts';
import { NOT_FOUND, isList, isTuple } from './term.ts';
import type { ObjectTerm, Term, TermList } from './term.ts';

/** One input of a map phase, read. */
export interface MapInput {
  /** Undefined: the key holds nothing. */
  readonly object: ObjectTerm | undefined;
  readonly keyData: Term;
}

/** A function that failed. */
export interface Crash {
  /** The name of Erlang's error, or the term that was thrown. */
  readonly crash: string;
  readonly isThrown?: true;
}

export type MapFunction = (input: MapInput, arg: Term) => TermList | Crash;

const FUNCTION_CLAUSE: Crash = { crash: 'function_clause' };

/** What a map function gave is no list; it did not fail itself. */
export const NO_LIST = 'non_list_result';

export function isCrash(outcome: TermList | Crash): outcome is Crash {
  return 'crash' in outcome;
}

export const MAP_FUNCTIONS: ReadonlyMap<string, MapFunction> = new Map([
  ['map_identity', mapIdentity],
  ['map_object_value', mapObjectValue],
  ['map_object_value_list', mapObjectValueList],
]);

function mapIdentity({ object }: MapInput): TermList {
  return [object ?? NOT_FOUND];
}

function mapObjectValue(input: MapInput, arg: Term): TermList | Crash {
  if (input.object === undefined) return ofNothing(input, arg);
  const [value, ...others] = valuesOf(input.object);
  return value === undefined || others.length > 0 ? noSingleValue(input.object) : [value];
}

/** The value is a list in Erlang's external format. */
function mapObjectValueList(input: MapInput, arg: Term): TermList | Crash {
  if (input.object === undefined) return ofNothing(input, arg);
  const [value, ...others] = valuesOf(input.object);
  if (value === undefined || others.length > 0) return noSingleValue(input.object);
  const list = decodeTerm(value);
  return list !== undefined && isList(list) ? list : { crash: NO_LIST };
}

function valuesOf({ object }: ObjectTerm): readonly Buffer[] {
  return object.siblings.map(({ value }) => value);
}

/** Riak shows what it matched: each sibling's metadata, which are not told here, with its value. */
function noSingleValue(object: ObjectTerm): Crash {
  const shown = valuesOf(object).map((value) => `{{dict,...},${printTerm(value)}}`);
  return { crash: `{badmatch,[${shown.join(',')}]}` };
}

function ofNothing({ keyData }: MapInput, arg: Term): TermList | Crash {
  if (Buffer.isBuffer(arg)) {
    switch (arg.toString('latin1')) {
      case 'filter_notfound':
        return [];
      case 'include_notfound':
        return [NOT_FOUND];
      case 'include_keydata':
        return [keyData];
      default:
        return FUNCTION_CLAUSE;
    }
  }
  const [tag, direct] = isTuple(arg, 2) ? arg.items : [];
  const isDirect = typeof tag === 'object' && 'kind' in tag && tag.kind === 'atom';
  const substitute = isDirect && tag.name === 'sub' ? direct : memberOf(arg, 'sub');
  if (substitute === undefined) return FUNCTION_CLAUSE;
  return isList(substitute) ? substitute : { crash: NO_LIST };
}
