/**
 * Which properties may be set, and Riak's words where they may not.
 *
 * A change is taken as a whole or refused as a whole. Values that only look odd to Riak but would
 * stop its nodes (an n_val above the ring size, a commit hook that is no list) are refused too, in
 * our words. Names that mean nothing here are kept and shown. Properties that only say what something is
 * (`name`, `active`, `claimant`) are passed over where Riak takes them: in untyped buckets all three, so
 * that what was read can be written back; of a type, and its buckets, not the claimant.
 *
 * Source: Riak KV's documentation on bucket properties, and answers recorded from Riak KV 3.2.
 */

import { DEFAULT_HLL_PRECISION } from './bucket-properties.ts';
import type { BucketProperties, PartialProperties, PropertyValue } from './bucket-properties.ts';

/** One refused property and Riak's reason for it. */
export interface PropertyRefusal {
  readonly property: string;
  readonly reason: string;
}

export type ValidationOutcome =
  | { readonly kind: 'valid'; readonly changes: PartialProperties }
  | { readonly kind: 'invalid'; readonly refusals: readonly PropertyRefusal[] };

export interface ValidationContext {
  /** Buckets of a type answer to the same rules as the type; those of the default type to fewer. */
  readonly level: 'type-create' | 'type-update' | 'typed-bucket' | 'bucket';
  /** What holds before the change: `CREATED_TYPE_PROPERTIES` for a new type, else the effective. */
  readonly existing: BucketProperties;
  readonly ringSize: number;
}

/** A value as it is kept, or why it is not. */
type Checked = { readonly value: PropertyValue } | { readonly reason: string };

type Check = (value: unknown, context: ValidationContext) => Checked;

type Changes = Record<string, PropertyValue>;

const UINT32_MAX = 2 ** 32 - 1;
/** Not held against n_val: one that cannot be met is refused when it is asked for, as in Riak. */
const QUORUM_MAX = UINT32_MAX;
const NAME_LENGTH_MAX = 255;
/** Of a value as JSON text: all of them are in the state that every member keeps, and hooks run at each write. */
const VALUE_LENGTH_MAX = 16_384;
const HLL_PRECISION_MIN = 4;
const HLL_PRECISION_MAX = 16;

const READ_ONLY: ReadonlySet<string> = new Set(['name', 'active', 'claimant']);
const DATATYPES: ReadonlySet<unknown> = new Set(['counter', 'set', 'gset', 'map', 'hll']);

const KEY_FUNCTIONS: ReadonlySet<string> = new Set(['chash_std_keyfun', 'chash_bucketonly_keyfun']);

const CHECKS: ReadonlyMap<string, Check> = new Map<string, Check>([
  ['n_val', nVal],
  ['allow_mult', boolean],
  ['last_write_wins', boolean],
  ['dvv_enabled', boolean],
  ['r', quorumFrom(1)],
  ['w', quorumFrom(1)],
  ['rw', quorumFrom(1)],
  ['dw', quorumFrom(0)],
  ['pr', quorumFrom(0)],
  ['pw', quorumFrom(0)],
  ['node_confirms', quorumFrom(0)],
  ['basic_quorum', boolean],
  ['notfound_ok', boolean],
  ['sync_on_write', syncOnWrite],
  ['old_vclock', integerFrom(1)],
  ['young_vclock', integerFrom(0)],
  ['big_vclock', integerFrom(1)],
  ['small_vclock', integerFrom(1)],
  ['precommit', hooks],
  ['postcommit', hooks],
  ['chash_keyfun', keyFunction],
  ['write_once', writeOnce],
  ['consistent', consistent],
  ['datatype', datatype],
  ['hll_precision', hllPrecision],
]);

/**
 * `changes` are values as JSON has them, by property. Refusals come in Riak's order: what values come to
 * together, then values by themselves, the last first, then what the type does not allow.
 */
export function validateProperties(
  changes: Readonly<Record<string, unknown>>,
  context: ValidationContext,
): ValidationOutcome {
  const forbidden = forbiddenChanges(changes, context);
  const skipped = new Set(forbidden.map(({ property }) => property));
  const valid: Changes = {};
  const wrong: PropertyRefusal[] = [];
  for (const [property, value] of Object.entries(changes)) {
    if (READ_ONLY.has(property) || skipped.has(property)) continue;
    if (property === 'hll_precision' && isOfOtherKind(changes, context)) continue;
    const checked = (CHECKS.get(property) ?? unknownProperty(property))(value, context);
    if ('value' in checked) valid[property] = checked.value;
    else wrong.push({ property, reason: checked.reason });
  }
  if (valid['datatype'] === 'hll' && context.existing.hll_precision === undefined) {
    valid['hll_precision'] ??= DEFAULT_HLL_PRECISION;
  }
  const refusals = [
    ...conflicts(valid, context),
    ...wrong.toReversed(),
    ...forbidden,
    ...bookkeeping(changes, context),
  ];
  return refusals.length > 0 ? { kind: 'invalid', refusals } : { kind: 'valid', changes: valid };
}

/** What is wrong with values that are right by themselves. */
function* conflicts(changes: Changes, context: ValidationContext): Iterable<PropertyRefusal> {
  const { existing, level } = context;
  const after: BucketProperties = { ...existing, ...changes };
  if (('last_write_wins' in changes || 'dvv_enabled' in changes) && after.last_write_wins) {
    if (after.dvv_enabled) {
      yield {
        property: 'dvv_enabled',
        reason: 'If last_write_wins is true, dvv_enabled must be false',
      };
    }
  }
  if (level === 'type-create') {
    if (after.datatype !== undefined && changes['allow_mult'] === false) yield NEEDS_ALLOW_MULT;
    const writeOnce = newWriteOnce(after);
    if (writeOnce !== undefined) yield { property: 'write_once', reason: writeOnce };
  }
  if (existing.consistent === true && after.n_val !== existing.n_val) {
    yield {
      property: 'n_val',
      reason: 'n_val cannot be modified for existing consistent type',
    };
  }
}

const NEEDS_ALLOW_MULT: PropertyRefusal = {
  property: 'allow_mult',
  reason: 'Data Type buckets must be allow_mult=true',
};

function newWriteOnce(after: BucketProperties): string | undefined {
  if (!after.write_once) return undefined;
  if (after.datatype !== undefined) return 'Write once buckets must not have datatype defined';
  if (after.consistent === true) return 'Write once buckets must not be consistent=true';
  return undefined;
}

/** What an existing type, and the buckets of it, can never become or stop to be. */
function forbiddenChanges(
  changes: Readonly<Record<string, unknown>>,
  context: ValidationContext,
): readonly PropertyRefusal[] {
  const { existing, level } = context;
  if (level === 'type-create' || level === 'bucket' || existing.consistent === true) return [];
  return existing.datatype === undefined
    ? forbiddenToPlain(changes, existing)
    : forbiddenToDatatype(changes, context);
}

function forbiddenToDatatype(
  changes: Readonly<Record<string, unknown>>,
  context: ValidationContext,
): readonly PropertyRefusal[] {
  const refusals: PropertyRefusal[] = [];
  const kind = 'datatype' in changes ? datatype(changes['datatype'], context) : undefined;
  if (kind !== undefined && 'reason' in kind) {
    refusals.push({ property: 'datatype', reason: kind.reason });
  }
  if ('allow_mult' in changes && !isTrue(changes['allow_mult'])) {
    refusals.unshift(NEEDS_ALLOW_MULT);
  }
  if (context.existing.datatype === 'hll' && 'hll_precision' in changes) {
    const precision = hllPrecision(changes['hll_precision'], context);
    if ('reason' in precision) {
      refusals.unshift({ property: 'hll_precision', reason: precision.reason });
    }
  }
  return refusals;
}

/** Of a data type without registers, for which Riak drops a precision without a word. */
function isOfOtherKind(
  changes: Readonly<Record<string, unknown>>,
  { existing, level }: ValidationContext,
): boolean {
  if (level === 'bucket') return false;
  const kind = existing.datatype ?? (level === 'type-create' ? changes['datatype'] : undefined);
  return kind !== undefined && kind !== 'hll';
}

function forbiddenToPlain(
  changes: Readonly<Record<string, unknown>>,
  existing: BucketProperties,
): readonly PropertyRefusal[] {
  const refusals: PropertyRefusal[] = [];
  const refuse = (property: string, reason: string): void => {
    refusals.unshift({ property, reason });
  };
  const isWriteOnce = existing.write_once;
  if (isWriteOnce && 'write_once' in changes && !isTrue(changes['write_once'])) {
    refuse('write_once', 'Cannot modify write_once property once set to true');
  }
  if (!isWriteOnce && 'datatype' in changes) {
    refuse('datatype', '`datatype` must not be defined.');
  }
  if (isTrue(changes['consistent'])) {
    refuse('consistent', 'Write once buckets must not be consistent=true');
  }
  if (isWriteOnce && 'datatype' in changes) {
    refuse('datatype', 'Write once buckets must not have datatype defined');
  }
  if (!isWriteOnce && isTrue(changes['write_once'])) {
    refuse('write_once', 'Cannot set existing bucket type to `write_once`');
  }
  return refusals;
}

/** What the cluster keeps about a type is no one's to set; that it is active may be repeated. */
function* bookkeeping(
  changes: Readonly<Record<string, unknown>>,
  { level }: ValidationContext,
): Iterable<PropertyRefusal> {
  if (level === 'bucket' || level === 'type-create') return;
  if ('claimant' in changes) {
    yield { property: 'claimant', reason: 'Cannot update claimant property' };
  }
  if ('active' in changes && changes['active'] !== true) {
    yield { property: 'active', reason: 'Cannot modify active property' };
  }
}

function boolean(value: unknown): Checked {
  if (isTrue(value)) return { value: true };
  return isFalse(value) ? { value: false } : { reason: 'not_boolean' };
}

function isTrue(value: unknown): boolean {
  return booleanOf(value) === true;
}

function isFalse(value: unknown): boolean {
  return booleanOf(value) === false;
}

/** As Riak coerces it: a word in any case, or whether an integer is above 0. */
function booleanOf(value: unknown): boolean | undefined {
  if (Number.isInteger(value)) return (value as number) > 0;
  const text = typeof value === 'string' ? value.toLowerCase() : value;
  if (text === true || text === 'true') return true;
  return text === false || text === 'false' ? false : undefined;
}

/** Told when a type is made; a bucket may only repeat what its type says. */
function writeOnce(value: unknown, context: ValidationContext): Checked {
  const checked = boolean(value);
  if (!('value' in checked) || context.level === 'type-create') return checked;
  return checked.value === context.existing.write_once
    ? checked
    : { reason: 'cannot update write_once property' };
}

function consistent(value: unknown, { existing, level }: ValidationContext): Checked {
  const checked = boolean(value);
  if (!('value' in checked) || checked.value === (existing.consistent ?? false)) return checked;
  return level === 'type-create'
    ? { reason: 'strong consistency is not offered by this store' }
    : { reason: 'cannot update consistent property' };
}

function integerFrom(least: number): Check {
  return (value) =>
    isIntegerWithin(value, least, UINT32_MAX) ? { value } : { reason: 'not_integer' };
}

function nVal(value: unknown, { ringSize }: ValidationContext): Checked {
  if (!isIntegerWithin(value, 1, UINT32_MAX)) return { reason: 'not_integer' };
  return value <= ringSize
    ? { value }
    : { reason: `n_val ${value} is above the ring size ${ringSize}` };
}

function quorumFrom(least: number): Check {
  return (value) =>
    value === 'one' ||
    value === 'quorum' ||
    value === 'all' ||
    isIntegerWithin(value, least, QUORUM_MAX)
      ? { value }
      : { reason: 'not_valid_quorum' };
}

function syncOnWrite(value: unknown): Checked {
  return value === 'backend' || value === 'one' || value === 'all'
    ? { value }
    : { reason: 'not_valid_sync_param' };
}

function hooks(value: unknown): Checked {
  return Array.isArray(value) && value.every(isHook)
    ? withinLength(value)
    : { reason: 'not a list of {"mod","fun"} or {"name"} objects' };
}

/** A function that is not there would place keys as if nothing had been set. */
function keyFunction(value: unknown): Checked {
  return isModuleFunction(value) && value.mod === 'riak_core_util' && KEY_FUNCTIONS.has(value.fun)
    ? withinLength(value)
    : { reason: 'not riak_core_util:chash_std_keyfun or riak_core_util:chash_bucketonly_keyfun' };
}

/** A data type is fixed with its type. In untyped buckets it means nothing, and may change. */
function datatype(value: unknown, { existing, level }: ValidationContext): Checked {
  const isKnown = DATATYPES.has(value);
  const isKept =
    level === 'bucket' || existing.datatype === undefined || existing.datatype === value;
  return isKnown && isKept && typeof value === 'string'
    ? { value }
    : { reason: `${shown(value)} not supported for bucket datatype property` };
}

/**
 * Registers can be folded together but not drawn apart: a precision may fall, never rise. Where there
 * are no registers it means nothing.
 */
function hllPrecision(value: unknown, { existing, level }: ValidationContext): Checked {
  const isAny = level !== 'type-create' && existing.datatype !== 'hll';
  const least = isAny ? 0 : HLL_PRECISION_MIN;
  const held = level === 'type-create' ? undefined : existing.hll_precision;
  const most = isAny ? UINT32_MAX : (held ?? HLL_PRECISION_MAX);
  return isIntegerWithin(value, least, most)
    ? { value }
    : {
        reason:
          `${shown(value)} not supported for Hyperloglog precision property for bucket type. ` +
          'Precision must be an integer between 4 and 16, inclusive (3 < p < 17) and precision ' +
          'can be reduced but never increased after initial setting',
      };
}

function unknownProperty(property: string): Check {
  return (value) => {
    if (property === '' || property === '__proto__' || property.length > NAME_LENGTH_MAX) {
      return { reason: 'not a property name' };
    }
    return withinLength(value);
  };
}

function withinLength(value: unknown): Checked {
  // What JSON has no word for has no text either.
  const text: string | undefined = JSON.stringify(value);
  if (text === undefined) return { reason: 'not a JSON value' };
  return text.length <= VALUE_LENGTH_MAX
    ? { value: value as PropertyValue }
    : { reason: `longer than ${VALUE_LENGTH_MAX} characters` };
}

function isIntegerWithin(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}

function isHook(value: unknown): boolean {
  return isModuleFunction(value) || (isRecord(value) && typeof value['name'] === 'string');
}

function isModuleFunction(value: unknown): value is { readonly mod: string; readonly fun: string } {
  return isRecord(value) && typeof value['mod'] === 'string' && typeof value['fun'] === 'string';
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value in a sentence; long ones are cut. */
function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > 64 ? `${text.slice(0, 64)}…` : text;
}
