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
 * | format | 1 |
 * | clusterName, epoch, ringSize | string, integer, integer |
 * | ancestors | array of SHA-256 in hex |
 * | members | array of [id, host, peerPort, httpPort, pbcPort, location, status], sorted by id |
 * | ownerByPartition | array of indexes into members |
 * | defaultProperties | object |
 * | bucketTypes | array of [name, isActive, properties], sorted by name |
 * | bucketProperties | array of [bucketId, properties], sorted by bucketId |
 */

import { createHash } from 'node:crypto';
import type { ByteString } from '../base/bytes.ts';
import { Fault } from '../base/fault.ts';
import type { Epoch, NodeId } from '../base/names.ts';
import type { PartialProperties, PropertyValue } from '../object/bucket-properties.ts';
import { isRingSize } from '../ring/partition.ts';
import type { BucketType, ClusterState, Member, MemberStatus } from './cluster-state.ts';

/** Documents larger than this are neither agreed nor read. */
export const STATE_SIZE_MAX_BYTES = 16 * 1024 * 1024;
export const MEMBERS_MAX = 1024;
/** Arrays and objects inside a property's value, at most this deep. */
export const PROPERTY_DEPTH_MAX = 16;

/** Epochs back that a state can tell its descent. */
export const ANCESTORS_MAX = 32;

const FORMAT = 1;
const NAME_LENGTH_MAX = 1024;

const STATUSES: ReadonlySet<string> = new Set<MemberStatus>([
  'joining',
  'valid',
  'leaving',
  'exiting',
  'down',
]);

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
  const state = jsonToState(json);
  if (!encodeState(state).equals(bytes)) throw malformed('it is not in its canonical form');
  return state;
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
    ringSize: state.ringSize,
    members: state.members.map((member) => [
      member.id,
      member.host,
      member.peerPort,
      member.httpPort,
      member.pbcPort,
      member.location,
      member.status,
    ]),
    ownerByPartition: state.ownerByPartition,
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

function jsonToState(json: unknown): ClusterState {
  const fields = asObject(json, 'the document');
  if (fields['format'] !== FORMAT) throw malformed('its format is unknown');
  const ringSize = asInteger(fields['ringSize'], 'ringSize');
  if (!isRingSize(ringSize)) throw malformed('ringSize is no ring size');
  const members = asArray(fields['members'], 'members').map(asMember);
  if (members.length > MEMBERS_MAX) throw malformed('it has too many members');
  mustRise(members.map(({ id }) => id));
  return {
    clusterName: asName(fields['clusterName'], 'clusterName'),
    epoch: asEpoch(fields['epoch']),
    ancestors: asAncestors(fields['ancestors'], asEpoch(fields['epoch'])),
    ringSize,
    members,
    ownerByPartition: asOwners(fields['ownerByPartition'], ringSize, members.length),
    defaultProperties: asProperties(fields['defaultProperties']),
    bucketTypes: asBucketTypes(fields['bucketTypes']),
    bucketProperties: asBucketProperties(fields['bucketProperties']),
  };
}

function asEpoch(value: unknown): Epoch {
  const epoch = asInteger(value, 'epoch');
  if (epoch < 1) throw malformed('its epoch is below 1');
  return epoch as Epoch;
}

function asAncestors(value: unknown, epoch: Epoch): string[] {
  const ancestors = asArray(value, 'ancestors').map((each) => asName(each, 'an ancestor'));
  if (ancestors.length !== Math.min(epoch - 1, ANCESTORS_MAX)) {
    throw malformed('it names too few or too many ancestors');
  }
  if (!ancestors.every((each) => /^[0-9a-f]{64}$/.test(each))) {
    throw malformed('an ancestor is no SHA-256 in hex');
  }
  return ancestors;
}

function asMember(value: unknown): Member {
  const fields = asArray(value, 'a member');
  const [id, host, peerPort, httpPort, pbcPort, location, status] = fields;
  if (fields.length !== 7) throw malformed('a member has seven fields');
  if (typeof status !== 'string' || !STATUSES.has(status)) throw malformed('a status is unknown');
  return {
    id: asName(id, 'a member id') as NodeId,
    host: asName(host, 'a host'),
    peerPort: asPort(peerPort),
    httpPort: asPort(httpPort),
    pbcPort: asPort(pbcPort),
    location: asName(location, 'a location'),
    status: status as MemberStatus,
  };
}

function asPort(value: unknown): number {
  const port = asInteger(value, 'a port');
  if (port < 0 || port > 65_535) throw malformed('a port is out of range');
  return port;
}

function asOwners(value: unknown, ringSize: number, memberCount: number): number[] {
  const owners = asArray(value, 'ownerByPartition').map((owner) => asInteger(owner, 'an owner'));
  if (owners.length !== ringSize) throw malformed('its ring has not one owner for each partition');
  if (owners.some((owner) => owner < 0 || owner >= memberCount)) {
    throw malformed('an owner is no member');
  }
  return owners;
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

function mustRise(names: readonly string[]): void {
  for (let index = 1; index < names.length; index += 1) {
    if ((names[index - 1] ?? '') >= (names[index] ?? ''))
      throw malformed('its members are unsorted');
  }
}

function asObject(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed(`${what} is no object`);
  }
  return value as Record<string, unknown>;
}

function asArray(value: unknown, what: string): unknown[] {
  if (!Array.isArray(value)) throw malformed(`${what} is no array`);
  return value;
}

function asInteger(value: unknown, what: string): number {
  if (!Number.isSafeInteger(value)) throw malformed(`${what} is no integer`);
  return value as number;
}

function asName(value: unknown, what: string): string {
  if (typeof value !== 'string' || value.length > NAME_LENGTH_MAX)
    throw malformed(`${what} is no name`);
  return value;
}

function asByteString(value: unknown): ByteString {
  // oxlint-disable-next-line no-control-regex
  if (typeof value !== 'string' || !/^[\u0000-\u00ff]*$/.test(value)) {
    throw malformed('a name is no byte string');
  }
  return value as ByteString;
}

function malformed(reason: string): Fault {
  return new Fault('malformed', `the cluster state cannot be read: ${reason}`);
}
