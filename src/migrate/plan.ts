/**
 * What has to be there before a copy: bucket types and properties, compared end by end.
 *
 * The Protocol Buffers API can neither list nor create bucket types and shows only the properties
 * that it has fields for: types are named by whoever asks, and created by `vertebra admin`. Properties
 * that only say how Riak works inside are left out.
 */

import { isDeepStrictEqual } from 'node:util';
import { byteStringToUtf8 } from '../base/bytes.ts';
import type { ByteString } from '../base/bytes.ts';
import { DEFAULT_BUCKET_TYPE } from '../base/names.ts';
import type { PartialProperties, PropertyValue } from '../object/bucket-properties.ts';
import { isUnknownType } from './cluster-end.ts';
import type { ClusterEnd } from './cluster-end.ts';
import { bucketsOf } from './walk.ts';
import type { Scope } from './walk.ts';

export interface PropertyDifference {
  readonly name: string;
  readonly source: PropertyValue | undefined;
  readonly target: PropertyValue | undefined;
}

export type PlanItem =
  /** `properties`: what the type has at the source beyond what a new type has. */
  | {
      readonly kind: 'type-missing';
      readonly type: string;
      readonly properties: PartialProperties;
    }
  | {
      readonly kind: 'type-differs';
      readonly type: string;
      readonly differences: readonly PropertyDifference[];
    }
  | {
      readonly kind: 'bucket-differs';
      readonly type: string;
      readonly bucket: string;
      readonly differences: readonly PropertyDifference[];
      /** They were set at the target. */
      readonly isSet: boolean;
    };

export interface Plan {
  readonly types: number;
  readonly buckets: number;
  readonly items: readonly PlanItem[];
}

/** How Riak finds, prunes and stores; or what has no meaning in Vertebra. */
const LEFT_OUT = new Set([
  'old_vclock',
  'young_vclock',
  'big_vclock',
  'small_vclock',
  'chash_keyfun',
  'linkfun',
  'backend',
  'repl',
]);

export async function plan(
  { source, target }: { readonly source: ClusterEnd; readonly target: ClusterEnd },
  { scope, sets }: { readonly scope: Scope; readonly sets: boolean },
): Promise<Plan> {
  const items: PlanItem[] = [];
  let buckets = 0;
  for (const type of scope.types) {
    const item = await typeItem(source, target, type);
    if (item !== undefined) items.push(item);
    if (item?.kind === 'type-missing') continue;
    for (const bucket of scope.buckets ?? (await bucketsOf(source, type))) {
      buckets += 1;
      const here = await source.place(type, bucket);
      const there = await target.place(type, bucket);
      const differences = differencesOf(here.properties, there.properties);
      if (differences.length === 0) continue;
      if (sets) await target.setProperties(there, changesOf(differences));
      const names = { type: byteStringToUtf8(type), bucket: byteStringToUtf8(bucket) };
      items.push({ kind: 'bucket-differs', ...names, differences, isSet: sets });
    }
  }
  return { types: scope.types.length, buckets, items };
}

async function typeItem(
  source: ClusterEnd,
  target: ClusterEnd,
  type: ByteString,
): Promise<PlanItem | undefined> {
  // The default type's own properties are no part of the protocol's; its buckets' are.
  if (type === DEFAULT_BUCKET_TYPE) return undefined;
  const name = byteStringToUtf8(type);
  const here = await source.typeProperties(type);
  const there = await target.typeProperties(type).catch((error: unknown) => {
    if (isUnknownType(error)) return undefined;
    throw error;
  });
  if (there === undefined) return { kind: 'type-missing', type: name, properties: carried(here) };
  const differences = differencesOf(here, there);
  return differences.length === 0 ? undefined : { kind: 'type-differs', type: name, differences };
}

function carried(properties: PartialProperties): PartialProperties {
  return Object.fromEntries(
    Object.entries(properties).filter(([name]) => !LEFT_OUT.has(name)),
  ) as PartialProperties;
}

function differencesOf(
  source: PartialProperties,
  target: PartialProperties,
): readonly PropertyDifference[] {
  const names = [...new Set([...Object.keys(source), ...Object.keys(target)])].sort();
  return names
    .filter((name) => !LEFT_OUT.has(name) && !isDeepStrictEqual(source[name], target[name]))
    .map((name) => ({ name, source: source[name], target: target[name] }));
}

/** A property that the source does not show cannot be taken away at the target. */
function changesOf(differences: readonly PropertyDifference[]): PartialProperties {
  return Object.fromEntries(
    differences.flatMap(({ name, source }) => (source === undefined ? [] : [[name, source]])),
  ) as PartialProperties;
}
