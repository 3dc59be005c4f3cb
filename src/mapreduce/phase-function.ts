/**
 * From the name of a function to the function: Riak's own, by module and name, and no other.
 *
 * What a client names is looked up in two fixed tables. Erlang's anonymous functions and functions
 * stored in objects fail when the job runs, as they do in Riak unless it was told to trust its clients.
 * JavaScript, which Riak has dropped, is refused with its words, unless it is switched on.
 */

import { MAP_FUNCTIONS } from './map-functions.ts';
import { REDUCE_FUNCTIONS } from './reduce-functions.ts';
import { memberOf } from './term-json.ts';
import { isAtom, isList, isTuple } from './term.ts';
import type {
  JobLanguages,
  JobRefusal,
  LinkPhase,
  Phase,
  ScriptMapPhase,
  ScriptReducePhase,
} from './job.ts';
import type { ScriptSource } from './script.ts';
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
  | { readonly kind: 'script'; readonly source: ScriptSource }
  /** Nothing that could be told. */
  | { readonly kind: 'other' };

/** Which phase of how many. */
export interface PhasePlace {
  readonly phase: number;
  readonly isLast: boolean;
}

export function resolvePhase(
  spec: PhaseSpec,
  place: PhasePlace,
  { hasScripts }: JobLanguages,
): Exclude<Phase, LinkPhase> | JobRefusal {
  const { phase } = place;
  const fitting = fittingOf(spec, place);
  const refuse = (reason: string): JobRefusal => ({ refusal: 'bad-phase', phase, fitting, reason });
  const { arg, isKept } = spec;
  switch (spec.function.kind) {
    case 'script':
      if (hasScripts) return scriptPhase(spec, spec.function.source);
      return { refusal: 'bad-phase', phase, fitting, reason: formsText(spec.kind), isScript: true };
    case 'other':
      return refuse(formsText(spec.kind));
    case 'source':
      return { kind: `text-${spec.kind}`, isKept };
    case 'named':
      break;
  }
  const { module, name } = spec.function;
  const label = spec.kind === 'map' ? 'PhaseSpec' : 'arg';
  if (module !== MODULE) {
    return refuse(
      `invalid module named in ${label} function:\n must be a valid module name ` +
        `(failed to load ${module}: nofile)`,
    );
  }
  if (spec.kind === 'map') {
    const run = MAP_FUNCTIONS.get(name);
    if (run !== undefined) return { kind: 'map', name, run, arg, isKept };
    return refuse(`${label} specifies ${module}:${name}/3, which is not exported`);
  }
  const makeReducer = REDUCE_FUNCTIONS.get(name);
  if (makeReducer !== undefined) return { kind: 'reduce', name, makeReducer, isKept };
  return refuse(`${label} specifies ${module}:${name}/2, which is not exported`);
}

/** What Riak calls the phase: the last one by its number, others by the worker's name too. */
function fittingOf({ kind }: PhaseSpec, { phase, isLast }: PhasePlace): string {
  if (isLast) return `${phase}`;
  return kind === 'map' ? `{xform_map,${phase}}` : `{reduce,${phase}}`;
}

/** Riak's own; a reduce function can tell how often it is called. */
const BATCH_COUNT = 20;
const BATCH_COUNT_MAX = 100_000;

function scriptPhase(
  { kind, arg, isKept }: PhaseSpec,
  source: ScriptSource,
): ScriptMapPhase | ScriptReducePhase {
  if (kind === 'map') return { kind: 'script-map', source, arg, isKept };
  const shown = isList(arg) ? arg.filter((item) => !isBatchOption(item)) : arg;
  return { kind: 'script-reduce', source, arg: shown, isKept, batchCount: batchCountOf(arg) };
}

/** Of a list they are taken out, because JSON has no form for them; an object keeps them. */
function isBatchOption(item: Term): boolean {
  const name = isTuple(item, 2) ? item.items[0] : item;
  return isAtom(name, 'reduce_phase_only_1') || isAtom(name, 'reduce_phase_batch_size');
}

/** As Riak compares them: what is no number is more than any number. */
function batchCountOf(arg: Term): number {
  const only = memberOf(arg, 'reduce_phase_only_1');
  const isFlagged = isList(arg) && arg.some((item) => isAtom(item, 'reduce_phase_only_1'));
  if (isFlagged || isAtom(only, 'true')) return Infinity;
  const asked = memberOf(arg, 'reduce_phase_batch_size') ?? BATCH_COUNT;
  if (typeof asked !== 'bigint' && typeof asked !== 'number') return Infinity;
  return Math.min(Math.max(Math.ceil(Number(asked)), 1), BATCH_COUNT_MAX);
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
