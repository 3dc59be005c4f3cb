/**
 * From the name of a function to the function: Riak's own, by module and name, and no other.
 *
 * What a client names is looked up in two fixed tables. Anonymous functions, functions stored in
 * objects, and JavaScript, which Riak has dropped, are refused with the words Riak has for them.
 */

import { MAP_FUNCTIONS } from './map-functions.ts';
import { REDUCE_FUNCTIONS } from './reduce-functions.ts';
import type { JobRefusal, MapPhase, ReducePhase } from './job.ts';
import type { Term } from './term.ts';

const MODULE = 'riak_kv_mapreduce';

/** A map or reduce phase as it was sent. */
export interface PhaseSpec {
  readonly kind: 'map' | 'reduce';
  readonly function: FunctionSpec;
  readonly arg: Term;
  readonly isKept: boolean;
}

export type FunctionSpec =
  | { readonly kind: 'named'; readonly module: string; readonly name: string }
  /** Erlang source text, or an object that holds some. */
  | { readonly kind: 'source' }
  /** JavaScript. */
  | { readonly kind: 'script' }
  /** Nothing that could be told. */
  | { readonly kind: 'other' };

export function resolvePhase(spec: PhaseSpec, phase: number): MapPhase | ReducePhase | JobRefusal {
  const refuse = (reason: string): JobRefusal => ({ refusal: 'bad-phase', phase, reason });
  const { arg, isKept } = spec;
  switch (spec.function.kind) {
    case 'script':
      return { refusal: 'bad-phase', phase, reason: formsText(spec.kind), isScript: true };
    case 'other':
      return refuse(formsText(spec.kind));
    case 'source':
      return refuse('PhaseSpec is of a form that is not enabled: {strfun, ...}');
    case 'named':
      break;
  }
  const { module, name } = spec.function;
  if (module !== MODULE) {
    return refuse(
      'invalid module named in PhaseSpec function:\n must be a valid module name ' +
        `(failed to load ${module}: nofile)`,
    );
  }
  if (spec.kind === 'map') {
    const run = MAP_FUNCTIONS.get(name);
    if (run !== undefined) return { kind: 'map', name, run, arg, isKept };
    return refuse(`PhaseSpec specifies ${module}:${name}/3, which is not exported`);
  }
  const makeReducer = REDUCE_FUNCTIONS.get(name);
  if (makeReducer !== undefined) return { kind: 'reduce', name, makeReducer, isKept };
  return refuse(`PhaseSpec specifies ${module}:${name}/2, which is not exported`);
}

function formsText(kind: 'map' | 'reduce'): string {
  const fitting = kind === 'map' ? 'riak_kv_mrc_map' : 'riak_kv_w_reduce';
  return (
    `The PhaseSpec part of the argument for ${fitting} must be of one of the following forms:\n` +
    '   {modfun, Module :: atom(), Function :: atom()}\n' +
    '   {qfun, Function :: function()}\n' +
    '   {strfun, Source :: string()}\n' +
    '   {strfun, {Bucket :: binary(), Key :: binary()}}\n'
  );
}
