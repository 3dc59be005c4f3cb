/**
 * Carries one object from the source to the target: look at both, decide, write on a condition, note.
 *
 * Each write names what the target showed when it was decided on, so whatever came between makes it
 * fail, and the object is looked at again. Servers check conditions and then act: a write of somebody
 * else in those milliseconds becomes a sibling where the bucket keeps them; where it does not, the later
 * one is shown, and it cannot be told. A write whose fate is unknown is not repeated blindly either:
 * if it was carried out both ends then hold the same.
 */

import { Fault } from '../base/fault.ts';
import type { ObjectKey } from '../base/names.ts';
import { mergeRegisters } from '../datatype/hyperloglog.ts';
import { keepsSiblings } from '../object/bucket-properties.ts';
import { ABSENT, UNKNOWN, holdsSame, isWithin, siblingByContent } from './carried-object.ts';
import { sizeOf } from './carried-object.ts';
import type { Carried, CarriedSibling, Reading, Version } from './carried-object.ts';
import type { ClusterEnd } from './cluster-end.ts';
import { stepsBetween } from './datatype-steps.ts';
import { decide } from './decide.ts';
import type { Entry, Verdict } from './decide.ts';
import type { Outcome } from './tally.ts';
import type { Place } from './walk.ts';

/** Where objects come from: a cluster, or the lines of a file. */
export interface Origin {
  version(place: Place, key: ObjectKey): Promise<Version>;
  read(place: Place, key: ObjectKey, isCertain?: boolean): Promise<Reading>;
}

export interface CarrierOptions {
  readonly pass: number;
  /** Whether one more that is gone from the source may go from the target; asked once for an object. */
  readonly mayDelete: () => boolean;
  /** What to do where both changed: leave the target as it is, or take the source's. */
  readonly onConflict: 'keep' | 'replace';
  /** Remembers; may do nothing. */
  readonly note: (key: ObjectKey, entry: Entry) => Promise<void>;
}

export interface Errand {
  readonly key: ObjectKey;
  /** Of the ledger; kept up to date while the object is carried. */
  entry: Entry | undefined;
  /** It was allowed to go, and stays so however often that is tried. */
  mayBeDeleted?: boolean;
  readonly origin: Origin;
  readonly sourcePlace: Place;
  readonly targetPlace: Place;
}

export interface Done {
  readonly outcome: Outcome;
  readonly reason?: string;
  readonly bytes: number;
  readonly tombstones: number;
}

/** Times that an object is looked at while others write to it. */
const LOOKS_MAX = 5;

export class ObjectCarrier {
  readonly #target: ClusterEnd;
  readonly #options: CarrierOptions;

  constructor(target: ClusterEnd, options: CarrierOptions) {
    this.#target = target;
    this.#options = options;
  }

  /** Rejects with the fault of an end. */
  async carry(errand: Errand): Promise<Done> {
    for (let look = 0; look < LOOKS_MAX; look += 1) {
      const done = await this.#target.patience.with(() => this.#look(errand));
      if (done !== 'changed') return done;
    }
    return {
      outcome: 'failed',
      reason: 'the target changes all the time',
      bytes: 0,
      tombstones: 0,
    };
  }

  async #look(errand: Errand): Promise<Done | 'changed'> {
    const { key, entry, origin, sourcePlace, targetPlace } = errand;
    if (entry?.state === 'same') {
      const version = await origin.version(sourcePlace, key);
      if (version === entry.source) {
        await this.#note(errand, { source: entry.source, target: entry.target });
        return plain('unchanged');
      }
    }
    const [source, target] = await Promise.all([
      origin.read(sourcePlace, key),
      this.#target.read(targetPlace, key),
    ]);
    const verdict = decide(entry, source, target);
    const done = await this.#act(verdict, { errand, source, target });
    return done === 'changed' ? done : { ...done, tombstones: source.tombstones };
  }

  async #act(verdict: Verdict, step: Step): Promise<Done | 'changed'> {
    const { errand, source, target } = step;
    switch (verdict) {
      case 'unchanged':
      case 'same':
        await this.#note(errand, { source: source.version, target: target.version });
        return plain('same');
      case 'neither':
        return plain('gone');
      case 'create':
      case 'replace':
        return this.#write(step);
      case 'complete':
        if (source.carried?.kind === 'sketch') return this.#grow(step, source.carried);
        return this.#complete(step);
      case 'delete':
        return this.#delete(step);
      case 'conflict':
      case 'deleted-at-target':
        if (this.#options.onConflict === 'keep') return plain(verdict);
        if (source.carried !== undefined) return this.#write(step);
        return this.#delete(step);
    }
  }

  async #write(step: Step): Promise<Done | 'changed'> {
    const { errand, source, target } = step;
    const place = errand.targetPlace;
    if (source.carried === undefined) return plain('gone');
    if (source.carried.kind === 'sketch') return this.#grow(step, source.carried);
    if (source.carried.kind === 'datatype') return this.#update(step, source.carried);
    if (place.datatype !== undefined)
      return refused('an ordinary object in a bucket of data types');
    if (target.carried !== undefined && target.carried.kind !== 'siblings')
      return refused('a counter stands where an object should');
    const siblings = [...siblingByContent(source.carried.siblings).values()];
    if (siblings.length > 1) {
      if (!keepsSiblings(place.properties))
        return refused('siblings, and the target bucket keeps one value');
      const before = { source: source.version, target: target.version };
      await this.#note(errand, before, 'writing');
    }
    return this.#store(step, siblings, { isWhole: true });
  }

  /** The siblings that are missing; what is there was copied. */
  #complete(step: Step): Promise<Done | 'changed'> {
    const { source, target } = step;
    const wanted = siblingsOf(source.carried);
    const held = siblingByContent(siblingsOf(target.carried));
    const missing = [...siblingByContent(wanted)].filter(([content]) => !held.has(content));
    return this.#store(
      step,
      missing.map(([, sibling]) => sibling),
      { isWhole: false },
    );
  }

  /** `isWhole`: they take the place of what the target shows; else they stand beside it. */
  async #store(
    { errand, source, target }: Step,
    siblings: readonly CarriedSibling[],
    { isWhole }: { readonly isWhole: boolean },
  ): Promise<Done | 'changed'> {
    const { key, targetPlace } = errand;
    const context = isWhole ? target.context : undefined;
    const expects = target.carried === undefined ? 'nothing' : 'context';
    let version: Version | undefined;
    let shown = 0;
    for (const [index, sibling] of siblings.entries()) {
      // Each is written on the context from before all of them, so that they stand side by side.
      const isFirst = index === 0 && isWhole;
      const basis = { context, ...(isFirst && ({ expects } as const)) };
      const written = await this.#target.write(key, sibling, basis);
      if (written.kind === 'changed') return 'changed';
      version = written.version;
      shown = written.siblings;
    }
    version ??= (await this.#target.read(targetPlace, key)).version;
    const kept = isWhole ? 0 : siblingsOf(target.carried).length;
    // Somebody wrote at the same time: both are there, and what was seen by whom is open.
    const isShared = shown > siblings.length + kept;
    await this.#note(errand, { source: source.version, target: isShared ? UNKNOWN : version });
    const bytes = siblings.reduce((sum, { value }) => sum + value.length, 0);
    const outcome = isWhole ? 'copied' : 'completed';
    return { outcome: isShared ? 'conflict' : outcome, bytes, tombstones: 0 };
  }

  async #update(
    { errand, source, target }: Step,
    carried: Extract<Carried, { readonly kind: 'datatype' }>,
  ): Promise<Done> {
    const { value } = carried;
    if (value.kind === 'hll') return refused('a HyperLogLog whose registers cannot be read');
    if (target.carried !== undefined && target.carried.kind !== 'datatype')
      return refused('an object stands where a counter should');
    const steps = stepsBetween(target.carried?.value, value);
    if (steps === undefined) return refused('a grow-only set at the target has more elements');
    const { key, targetPlace } = errand;
    await this.#target.update(key, steps, target.context);
    // Operations have no condition: what came of it is looked at.
    const after = await this.#target.read(targetPlace, key);
    const isSame = holdsSame(source.carried, after.carried);
    await this.#note(errand, { source: source.version, target: isSame ? after.version : UNKNOWN });
    const outcome = isSame ? 'copied' : 'conflict';
    return { outcome, bytes: sizeOf(carried), tombstones: 0 };
  }

  /** A HyperLogLog: what the target has counted stays. */
  async #grow(
    { errand, source, target }: Step,
    carried: Extract<Carried, { readonly kind: 'sketch' }>,
  ): Promise<Done | 'changed'> {
    const { key, targetPlace } = errand;
    const isFirst = target.carried === undefined && this.#target.storesSketches === undefined;
    const before = isFirst ? await this.#plant({ errand, source, target }) : target;
    if (this.#target.storesSketches !== true) {
      if (isFirst) await this.#target.delete(key, before.context);
      return refused('a HyperLogLog, whose registers only Vertebra takes');
    }
    if (before.carried !== undefined && before.carried.kind !== 'sketch') {
      return refused('something else stands where a HyperLogLog should');
    }
    const held = before.carried?.registers;
    const grown = held === undefined ? carried.registers : mergeRegisters(carried.registers, held);
    const expects = held === undefined ? 'nothing' : 'context';
    const basis = { context: before.context, expects } as const;
    const written = await this.#target.writeSketch(key, grown, basis);
    if (written.kind === 'changed') return 'changed';
    const after = await this.#target.read(targetPlace, key);
    const isWhole = after.carried !== undefined && isWithin(carried, after.carried);
    const version = isWhole ? after.version : UNKNOWN;
    await this.#note(errand, { source: source.version, target: version });
    return { outcome: isWhole ? 'copied' : 'conflict', bytes: sizeOf(carried), tombstones: 0 };
  }

  /** An empty HyperLogLog, to see how the target stores them. */
  async #plant({ errand, source, target }: Step): Promise<Reading> {
    const { key, targetPlace } = errand;
    const before = { source: source.version, target: target.version };
    await this.#note(errand, before, 'writing');
    await this.#target.update(key, { kind: 'hll', adds: [] });
    return this.#target.read(targetPlace, key);
  }

  async #delete({ errand, target }: Step): Promise<Done | 'changed'> {
    errand.mayBeDeleted ||= this.#options.mayDelete();
    if (!errand.mayBeDeleted) return plain('left');
    const { key, origin, sourcePlace } = errand;
    const certain = await origin.read(sourcePlace, key, true);
    if (certain.carried !== undefined) return 'changed';
    // The context of a data type's value is not one of its object.
    const isObject = target.carried?.kind !== 'datatype';
    await this.#target.delete(key, isObject ? target.context : undefined);
    await this.#note(errand, { source: ABSENT, target: ABSENT });
    return plain('deleted');
  }

  async #note(
    errand: Errand,
    versions: Pick<Entry, 'source' | 'target'>,
    state: Entry['state'] = 'same',
  ): Promise<void> {
    const entry = { pass: this.#options.pass, state, ...versions };
    await this.#options.note(errand.key, entry);
    errand.entry = entry;
  }
}

interface Step {
  readonly errand: Errand;
  readonly source: Reading;
  readonly target: Reading;
}

function siblingsOf(carried: Carried | undefined): readonly CarriedSibling[] {
  if (carried === undefined) return [];
  if (carried.kind === 'siblings') return carried.siblings;
  throw new Fault('malformed', 'a data type stands where an object should');
}

function plain(outcome: Outcome): Done {
  return { outcome, bytes: 0, tombstones: 0 };
}

function refused(reason: string): Done {
  return { outcome: 'not-carried', reason, bytes: 0, tombstones: 0 };
}
