/**
 * The cluster state as bytes: how it is stored, sent, voted on and compared.
 *
 * The form is JSON with every object's keys sorted, so that equal states have equal bytes and a hash
 * of the bytes is a hash of the state. Byte strings are written as their characters, one for a byte.
 * Reading is strict: bytes that are not exactly what `encodeState` would write are refused, so two
 * forms of one state cannot be voted on. Documents come from peers and disks and are never trusted.
 *
 * | field | form |
 * |---|---|
 * | format | 2 |
 * | clusterName, epoch, ringSize | string, integer, integer |
 * | ancestors | array of SHA-256 in hex |
 * | members | array of [id, host, peerPort, httpPort, pbcPort, location, status], sorted by id |
 * | lineages | array of [id, since] |
 * | ownerByPartition | array of indexes into members |
 * | staged | array of [kind, node] or [kind, node, successor or location] |
 * | step | null, or [since, phase, target, unfilled] |
 * | defaultProperties | object |
 * | bucketTypes | array of [name, isActive, properties], sorted by name |
 * | bucketProperties | array of [bucketId, properties], sorted by bucketId |
 * | security | see `security-document.ts`; left out while security is off and empty |
 */

import { createHash } from 'node:crypto';
import type { ByteString } from '../base/bytes.ts';
import { Fault } from '../base/fault.ts';
import type { Epoch } from '../base/names.ts';
import type { PartialProperties, PropertyValue } from '../object/bucket-properties.ts';
import { NO_SECURITY, type SecurityState } from '../security/security-state.ts';
import type { BucketType, ClusterState, Lineage } from './cluster-state.ts';
import { asArray, asByteString, asEpoch, asName, asObject, malformed } from './document-values.ts';
import { asLayout, layoutToJson } from './layout-document.ts';
import { asSecurity, securityToJson } from './security-document.ts';

/** Documents larger than this are neither agreed nor read. */
export const STATE_SIZE_MAX_BYTES = 16 * 1024 * 1024;
/** Arrays and objects inside a property's value, at most this deep. */
export const PROPERTY_DEPTH_MAX = 16;

/** Epochs back that a state can tell its descent. */
export const ANCESTORS_MAX = 32;

/** A cluster that was recovered more often forgets its first lineages. */
export const LINEAGES_MAX = 32;

const FORMAT = 2;

const SECURITY_FIELD = ',"security":';

let lastRead = { security: NO_SECURITY, bytes: Buffer.alloc(0) };

const bytesByState = new WeakMap<ClusterState, Buffer>();
const hashByState = new WeakMap<ClusterState, Buffer>();

/** The state's bytes; the same buffer at each call, never to be written to. */
export function encodeState(state: ClusterState): Buffer {
  let bytes = bytesByState.get(state);
  if (bytes === undefined) {
    bytes = Buffer.from(JSON.stringify(stateToJson(state)), 'utf8');
    bytesByState.set(state, bytes);
  }
  return bytes;
}

/** The state that `bytes` hold. Throws the fault `malformed` for anything `encodeState` cannot write. */
export function decodeState(bytes: Buffer): ClusterState {
  if (bytes.length > STATE_SIZE_MAX_BYTES) throw malformed('it is too large');
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new Fault('malformed', 'the cluster state is no JSON', { cause });
  }
  const state = jsonToState(json, bytes);
  if (!encodeState(state).equals(bytes))
    throw malformed('it is not in its canonical form, or has fields of a later release');
  keepSecurity(state.security, bytes);
  return state;
}

/**
 * Throws the fault `malformed` for a state that could not be read again: who had voted on it could not start,
 * for its record holds it.
 */
export function mustBeReadable(state: ClusterState): void {
  decodeState(encodeState(state));
}

/** SHA-256 of the document, 32 bytes: equal for equal states, different for different ones. */
export function hashState(state: ClusterState): Buffer {
  let hash = hashByState.get(state);
  if (hash === undefined) {
    hash = createHash('sha256').update(encodeState(state)).digest();
    hashByState.set(state, hash);
  }
  return hash;
}

/** Whether a property's value is nested no deeper than a document may hold. */
export function isShallow(value: PropertyValue | undefined, depth = PROPERTY_DEPTH_MAX): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (depth === 0) return false;
  return Object.values(value).every((each: PropertyValue) => isShallow(each, depth - 1));
}

function stateToJson(state: ClusterState): unknown {
  return {
    format: FORMAT,
    clusterName: state.clusterName,
    epoch: state.epoch,
    ancestors: state.ancestors,
    lineages: state.lineages.map(({ id, since }) => [id, since]),
    ...layoutToJson(state),
    defaultProperties: sortKeys(state.defaultProperties),
    bucketTypes: sortedEntries(state.bucketTypes).map(([name, { isActive, properties }]) => [
      name,
      isActive,
      sortKeys(properties),
    ]),
    bucketProperties: sortedEntries(state.bucketProperties).map(([id, properties]) => [
      id,
      sortKeys(properties),
    ]),
    security: securityToJson(state.security),
  };
}

function sortedEntries<V>(map: ReadonlyMap<ByteString, V>): [ByteString, V][] {
  return [...map].sort(([left], [right]) => (left < right ? -1 : 1));
}

/** The same value with the keys of each object in it sorted, and absent values left out. */
function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, each]) => each !== undefined)
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([name, each]) => [name, sortKeys(each)]),
  );
}

/**
 * Most changes leave security as it is, and there may be much of it: where its bytes are those that were read
 * last, so is the value, and what others made of it serves on. What a document's end is taken for here, the
 * comparison of the whole document confirms.
 */
function readSecurity(json: unknown, bytes: Buffer): SecurityState {
  const isSame = json !== undefined && securityBytes(bytes)?.equals(lastRead.bytes) === true;
  return isSame ? lastRead.security : asSecurity(json);
}

function keepSecurity(security: SecurityState, bytes: Buffer): void {
  if (security === NO_SECURITY || security === lastRead.security) return;
  lastRead = { security, bytes: Buffer.from(securityBytes(bytes) ?? []) };
}

/** Of a document in its canonical form: there is nothing behind it, and the name does not occur in it. */
function securityBytes(bytes: Buffer): Buffer | undefined {
  const start = bytes.lastIndexOf(SECURITY_FIELD);
  return start < 0 ? undefined : bytes.subarray(start);
}

function jsonToState(json: unknown, bytes: Buffer): ClusterState {
  const fields = asObject(json, 'the document');
  const { format } = fields;
  if (format !== FORMAT) {
    const isLater = typeof format === 'number' && format > FORMAT;
    throw malformed(isLater ? laterText(format) : 'its format is unknown');
  }
  const epoch = asEpoch(fields['epoch']);
  const lineages = asLineages(fields['lineages'], epoch);
  return {
    clusterName: asName(fields['clusterName'], 'clusterName'),
    epoch,
    ancestors: asAncestors(fields['ancestors'], epoch - (lineages[0]?.since ?? epoch)),
    lineages,
    ...asLayout(fields, epoch),
    defaultProperties: asProperties(fields['defaultProperties']),
    bucketTypes: asBucketTypes(fields['bucketTypes']),
    bucketProperties: asBucketProperties(fields['bucketProperties']),
    security: readSecurity(fields['security'], bytes),
  };
}

function laterText(format: number): string {
  return `it is of format ${format}, and this release reads format ${FORMAT}`;
}

function asAncestors(value: unknown, age: number): string[] {
  const ancestors = asArray(value, 'ancestors').map((each) => asName(each, 'an ancestor'));
  if (ancestors.length !== Math.min(age, ANCESTORS_MAX)) {
    throw malformed('it names too few or too many ancestors');
  }
  if (!ancestors.every((each) => /^[0-9a-f]{64}$/.test(each))) {
    throw malformed('an ancestor is no SHA-256 in hex');
  }
  return ancestors;
}

function asLineages(value: unknown, epoch: Epoch): Lineage[] {
  const lineages = asArray(value, 'lineages').map((each) => {
    const [id, since, ...more] = asArray(each, 'a lineage');
    if (more.length > 0) throw malformed('a lineage has two fields');
    if (typeof id !== 'string' || !/^[0-9a-f]{32}$/.test(id))
      throw malformed('a lineage has no id');
    return { id, since: asEpoch(since) };
  });
  if (lineages.length === 0 || lineages.length > LINEAGES_MAX) throw malformed('its lineages');
  for (const [index, { since }] of lineages.entries()) {
    const newerSince = lineages[index - 1]?.since ?? epoch + 1;
    if (since >= newerSince) throw malformed('its lineages do not follow each other');
  }
  return lineages;
}

function asBucketTypes(value: unknown): Map<ByteString, BucketType> {
  const bucketTypes = new Map<ByteString, BucketType>();
  for (const entry of asArray(value, 'bucketTypes')) {
    const [name, isActive, properties] = asArray(entry, 'a bucket type');
    if (typeof isActive !== 'boolean') throw malformed('isActive is no boolean');
    bucketTypes.set(asByteString(name), { isActive, properties: asProperties(properties) });
  }
  return bucketTypes;
}

function asBucketProperties(value: unknown): Map<ByteString, PartialProperties> {
  const propertiesByBucket = new Map<ByteString, PartialProperties>();
  for (const entry of asArray(value, 'bucketProperties')) {
    const [id, properties] = asArray(entry, 'a bucket');
    propertiesByBucket.set(asByteString(id), asProperties(properties));
  }
  return propertiesByBucket;
}

/** The values themselves were checked when they were set; here only the shape could do harm. */
function asProperties(value: unknown): PartialProperties {
  const properties = asObject(value, 'properties') as PartialProperties;
  if (!isShallow(properties as PropertyValue, PROPERTY_DEPTH_MAX + 1)) {
    throw malformed('a property is nested too deeply');
  }
  return properties;
}
