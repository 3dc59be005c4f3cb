/**
 * The values and operations of data types as judges see them: parts that are there or not, and a count.
 *
 * A map holds all of it: registers as fields that come and go, a set in a map within the map, a flag
 * and a counter that stay.
 */

import { utf8ToByteString } from '../../src/base/bytes.ts';
import type {
  DatatypeOperation,
  DatatypeValue,
  Field,
  FieldOperation,
  FieldValue,
  MapOperation,
} from '../../src/datatype/operation.ts';

const COUNT: Field = { name: utf8ToByteString('count'), kind: 'counter' };
const FLAG: Field = { name: utf8ToByteString('flag'), kind: 'flag' };
const INNER: Field = { name: utf8ToByteString('inner'), kind: 'map' };
const TAGS: Field = { name: utf8ToByteString('tags'), kind: 'set' };

export const FLAG_PART = 'flag';
const FIELD_PREFIX = 'field-';

/** How a part of a map is called; `index` makes it one of its own. */
export function mapPart(kind: 'field' | 'tag', index: number): string {
  return kind === 'field' ? `${FIELD_PREFIX}${index}` : `tag-${index}`;
}

export interface Seen {
  readonly parts: ReadonlySet<string>;
  readonly count: bigint;
}

export function seenIn(value: DatatypeValue): Seen {
  switch (value.kind) {
    case 'counter':
      return { parts: new Set(), count: value.value };
    case 'hll':
      return { parts: new Set(), count: BigInt(value.count) };
    case 'set':
    case 'gset':
      return { parts: new Set(value.elements), count: 0n };
    case 'map': {
      const parts = new Set<string>();
      let count = 0n;
      for (const { field, value: inner } of value.fields) {
        if (inner.kind === 'counter') count = inner.value;
        else for (const part of partsOfField(field, inner)) parts.add(part);
      }
      return { parts, count };
    }
  }
}

function partsOfField({ name }: Field, value: FieldValue): readonly string[] {
  if (value.kind === 'register') return [name];
  if (value.kind === 'flag') return value.isEnabled ? [FLAG_PART] : [];
  if (value.kind === 'set') return value.elements;
  return value.kind === 'map'
    ? value.fields.flatMap(({ field, value: inner }) => partsOfField(field, inner))
    : [];
}

export function countOperation(datatype: 'counter' | 'map', increment: bigint): DatatypeOperation {
  const counter = { kind: 'counter', increment } as const;
  return datatype === 'counter' ? counter : mapUpdate(COUNT, counter);
}

/** Puts parts there, takes parts away, or both. */
export function partOperation(
  datatype: 'set' | 'gset' | 'hll' | 'map',
  { adds, removes }: { readonly adds: readonly string[]; readonly removes: readonly string[] },
): DatatypeOperation {
  const [added, removed] = [adds.map(utf8ToByteString), removes.map(utf8ToByteString)];
  if (datatype === 'set') return { kind: 'set', adds: added, removes: removed };
  if (datatype !== 'map') return { kind: datatype, adds: added };
  const [part = '', isAdded] = adds.length > 0 ? [adds[0], true] : [removes[0], false];
  if (part === FLAG_PART) return mapUpdate(FLAG, { kind: 'flag', enable: isAdded });
  if (!part.startsWith(FIELD_PREFIX)) {
    return mapUpdate(INNER, mapUpdate(TAGS, { kind: 'set', adds: added, removes: removed }));
  }
  const field: Field = { name: utf8ToByteString(part), kind: 'register' };
  return isAdded
    ? mapUpdate(field, { kind: 'register', value: utf8ToByteString('x') })
    : { kind: 'map', removes: [field], updates: [] };
}

function mapUpdate(field: Field, operation: FieldOperation): MapOperation {
  return { kind: 'map', removes: [], updates: [{ field, operation }] };
}
