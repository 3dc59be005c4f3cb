/**
 * What a map or link phase does to one object, as it travels to the node that holds the object.
 *
 * | task | term |
 * |---|---|
 * | a function of Riak's | {map, name, argument} |
 * | links | {link, bucket or undefined, tag or undefined} |
 * | JavaScript | {script, source text, argument} |
 *
 * in Erlang's external format, as are its results. Functions are looked up in the same fixed table
 * there as here, and JavaScript runs in an isolate or not at all: a task names, it brings no code of the
 * node's. `Mapper` is the task at work, wherever that is.
 */

import { decodeTerm, encodeTerm } from './external-term.ts';
import { MAP_FUNCTIONS } from './map-functions.ts';
import { missingTerm } from './missing-object.ts';
import { callScript } from './script-call.ts';
import { objectToJson } from './object-json.ts';
import { termToJson } from './term-json.ts';
import { UNDEFINED, atom, binary, compareTerms, isAtom, isTuple, tuple } from './term.ts';
import { bytesToByteString, type ByteString } from '../base/bytes.ts';
import type { Turns } from '../base/turns.ts';
import type { LinkPhase, MapPhase } from './job.ts';
import type { Crash } from './map-functions.ts';
import type { Found } from './phase-input.ts';
import type { ScriptEngine, ScriptSession } from './script.ts';
import type { ObjectTerm, Term, TermList } from './term.ts';

export interface ScriptTask {
  readonly kind: 'script';
  /** JavaScript for a function. */
  readonly expression: string;
  readonly arg: Term;
}

export type MapTask =
  Pick<MapPhase, 'kind' | 'name' | 'run' | 'arg'> | Omit<LinkPhase, 'isKept'> | ScriptTask;

/** It goes with each request, so what is longer stays where it is. */
const TASK_SIZE_MAX_BYTES = 64 * 1024;

/** Its results are the objects, which have no outer form and would only travel in another one. */
const GIVES_OBJECTS = 'map_identity';

/** Undefined: the task cannot travel. */
export function encodeTask(task: MapTask): Buffer | undefined {
  if (task.kind === 'map' && task.name === GIVES_OBJECTS) return undefined;
  const bytes = encodeTerm(taskToTerm(task));
  return bytes === undefined || bytes.length > TASK_SIZE_MAX_BYTES ? undefined : bytes;
}

function taskToTerm(task: MapTask): Term {
  switch (task.kind) {
    case 'map':
      return tuple(atom('map'), atom(task.name), task.arg);
    case 'link':
      return tuple(atom('link'), optional(task.bucket), optional(task.tag));
    case 'script':
      return tuple(atom('script'), Buffer.from(task.expression), task.arg);
  }
}

function optional(name: ByteString | undefined): Term {
  return name === undefined ? UNDEFINED : binary(name);
}

/** Undefined: it is no task that is known here. */
export function decodeTask(bytes: Buffer): MapTask | undefined {
  const term = decodeTerm(bytes);
  if (!isTuple(term, 3)) return undefined;
  const [kind, first, second] = term.items as readonly [Term, Term, Term];
  if (isAtom(kind, 'map') && isAtom(first)) {
    const run = MAP_FUNCTIONS.get(first.name);
    return run && { kind: 'map', name: first.name, run, arg: second };
  }
  if (isAtom(kind, 'link')) return { kind: 'link', bucket: nameIn(first), tag: nameIn(second) };
  if (!isAtom(kind, 'script') || !Buffer.isBuffer(first)) return undefined;
  return { kind: 'script', expression: first.toString(), arg: second };
}

function nameIn(term: Term): ByteString | undefined {
  return Buffer.isBuffer(term) ? bytesToByteString(term) : undefined;
}

/** A task at work on one object after the other. */
export class Mapper {
  readonly #task: MapTask;
  readonly #scripts: ScriptEngine | undefined;
  readonly #turns: Turns;
  #session: ScriptSession | undefined;

  /** Without `scripts` a task in JavaScript fails on each object. */
  constructor(task: MapTask, scripts: ScriptEngine | undefined, turns: Turns) {
    this.#task = task;
    this.#scripts = scripts;
    this.#turns = turns;
  }

  map(found: Found): TermList | Crash | Promise<TermList | Crash> {
    const task = this.#task;
    const { address, object } = found;
    switch (task.kind) {
      case 'map':
        return task.run({ object, keyData: address.keyData }, task.arg);
      case 'link':
        return object === undefined ? [] : linksOf(object, task);
      case 'script':
        return this.#script(found, task);
    }
  }

  /** Idempotent. */
  close(): void {
    this.#session?.close();
    this.#session = undefined;
  }

  #script({ address, object }: Found, task: ScriptTask): Crash | Promise<TermList | Crash> {
    if (object === undefined) return Promise.resolve([missingTerm(address)]);
    const value = objectToJson(object);
    const data = termToJson(address.keyData);
    if (value === undefined || data === undefined) return { crash: 'invalid_utf8' };
    this.#session ??= this.#scripts?.open(task.expression);
    if (this.#session === undefined) return { crash: 'javascript_disabled' };
    const args = `[${value},${data},${termToJson(task.arg) ?? 'null'}]`;
    return callScript(this.#session, args, this.#turns);
  }
}

/**
 * Bucket, key and tag, which the next phase gets as key data: of all siblings, each once, in order. A link
 * names no type, so it leads to the default one, and one that names no key leads nowhere.
 */
function linksOf({ object }: ObjectTerm, wanted: Omit<LinkPhase, 'isKept'>): TermList {
  const results: Term[][] = [];
  for (const { metadata } of object.siblings) {
    for (const link of metadata.links ?? []) {
      if (link.bucket === undefined || link.key === undefined) continue;
      if (wanted.bucket !== undefined && wanted.bucket !== link.bucket) continue;
      if (wanted.tag !== undefined && wanted.tag !== link.tag) continue;
      const tag = link.tag ?? ('' as ByteString);
      results.push([link.bucket, link.key, tag].map(binary));
    }
  }
  results.sort(compareTerms);
  return results.filter((result, index) => {
    const before = results[index - 1];
    return before === undefined || compareTerms(before, result) !== 0;
  });
}
