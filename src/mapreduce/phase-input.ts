/**
 * The inputs of map and link phases, read; and what is told when a phase fails on one.
 */

import { NO_LIST } from './map-functions.ts';
import { keyTerm } from './missing-object.ts';
import { printTerm } from './term-print.ts';
import { NOT_FOUND, atom, tuple } from './term.ts';
import type { ObjectKey } from '../base/names.ts';
import type { Failure, GetOutcome } from '../object/requests.ts';
import type { Address } from './address.ts';
import type { JobEvent } from './job-ports.ts';
import type { Crash } from './map-functions.ts';
import type { ObjectTerm, Term } from './term.ts';

export interface Found {
  readonly address: Address;
  /** Undefined: the key holds nothing. */
  readonly object: ObjectTerm | undefined;
}

/** What a read found of an input. */
export function foundOf(address: Address, outcome: GetOutcome): Found | Crash {
  if (outcome.kind === 'found') {
    return { address, object: { kind: 'object', key: address.key, object: outcome.object } };
  }
  return outcome.kind === 'not-found'
    ? { address, object: tombstoneOf(address.key, outcome) }
    : { crash: failureName(outcome) };
}

function failureName(failure: Failure): string {
  return failure.kind.replaceAll('-', '_');
}

/** Of `foundOf` where the address is of a bucket type that is none. */
export const NO_TYPE_CRASH = 'unknown_bucket_type';

const NO_VALUE = Buffer.alloc(0);

/** What was deleted and not reaped yet is an object whose value is empty, as in Riak. */
function tombstoneOf(
  key: ObjectKey,
  { tombstone }: Extract<GetOutcome, { kind: 'not-found' }>,
): ObjectTerm | undefined {
  if (tombstone === undefined) return undefined;
  const siblings = tombstone.siblings.map((sibling) => ({ ...sibling, value: NO_VALUE }));
  return { kind: 'object', key, object: { context: tombstone.context, siblings } };
}

/** `{ok, Object, KeyData}` or `{{error, notfound}, Address, KeyData}`. */
export function inputTerm({ address: { key, keyData }, object }: Found): Term {
  if (object !== undefined) return tuple(atom('ok'), object, keyData);
  return tuple(NOT_FOUND, keyTerm(key), keyData);
}

export interface PhaseEnd extends Crash {
  /** Of the function. */
  readonly name: string;
}

export interface PhaseCrash extends PhaseEnd {
  readonly input: Term;
}

export type FailedEvent = Extract<JobEvent, { kind: 'failed' }>;

/** Of inputs that are of no bucket type: they never come as far as a phase, as with Riak. */
export const NO_TYPE_FAILURE: FailedEvent = {
  kind: 'failed',
  failure: { reason: 'source', term: '{error,no_such_bucket_type}' },
};

export function phaseFailure(phase: number, told: PhaseCrash): FailedEvent {
  const { crash, isThrown, name } = told;
  const failure = { reason: 'phase', phase, error: crash, input: printTerm(told.input) } as const;
  if (crash === NO_LIST) return { kind: 'failed', failure };
  const type = isThrown === true ? 'throw' : 'error';
  return { kind: 'failed', failure: { ...failure, type, stack: stackOf(name) } };
}

/** Of a reduce function that failed when all its inputs had come: Riak tells its end, not its input. */
export function lastBatchFailure(phase: number, { crash, isThrown, name }: PhaseEnd): FailedEvent {
  const error = isThrown === true ? `{bad_return_value,${crash}}` : `{${crash},${stackOf(name)}}`;
  const unknown = { input: null, type: null, stack: null };
  return { kind: 'failed', failure: { reason: 'phase', phase, error, ...unknown } };
}

function stackOf(name: string): string {
  return printTerm([tuple(atom('riak_kv_mapreduce'), atom(name))]);
}

/** Clients tell by the name in it that text was sent where it may not be. */
const STARTUP_ERROR = '[worker_startup_failed]';

/** `sender` is the phase that sends to the one that cannot start; -1: who reads the inputs. */
export function startupFailure(sender: number, input: Term): FailedEvent {
  if (sender < 0) {
    return { kind: 'failed', failure: { reason: 'source', term: `{error,${STARTUP_ERROR}}` } };
  }
  const told = { error: STARTUP_ERROR, type: 'result', stack: '[]' };
  const failure = { reason: 'phase', phase: sender, input: printTerm(input), ...told } as const;
  return { kind: 'failed', failure };
}
