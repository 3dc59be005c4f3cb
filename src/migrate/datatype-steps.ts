/**
 * The operation that makes one value of a data type into another.
 *
 * Only differences are written, so that elements which both ends have keep their history at the
 * target. Removals need the target's context. HyperLogLogs show a count and not what was added, so
 * no operation leads to one.
 */

import type { ByteString } from '../base/bytes.ts';
import type {
  CounterOperation,
  DatatypeOperation,
  DatatypeValue,
  Field,
  FieldOperation,
  FieldValue,
  MapOperation,
  MapValue,
  SetOperation,
} from '../datatype/operation.ts';

/** Undefined: there is none, because the types differ or grow-only sets would have to shrink. */
export function stepsBetween(
  from: DatatypeValue | undefined,
  to: DatatypeValue,
): DatatypeOperation | undefined {
  if (from !== undefined && from.kind !== to.kind) return undefined;
  switch (to.kind) {
    case 'counter':
      return counterSteps(from?.kind === 'counter' ? from.value : 0n, to.value);
    case 'set':
      return setSteps(from?.kind === 'set' ? from.elements : [], to.elements);
    case 'map':
      return mapSteps(from?.kind === 'map' ? from : undefined, to);
    case 'gset': {
      const held = from?.kind === 'gset' ? from.elements : [];
      const { adds, removes } = setSteps(held, to.elements);
      return removes.length > 0 ? undefined : { kind: 'gset', adds };
    }
    case 'hll':
      return undefined;
  }
}

function fieldSteps(from: FieldValue | undefined, to: FieldValue): FieldOperation {
  switch (to.kind) {
    case 'counter':
      return counterSteps(from?.kind === 'counter' ? from.value : 0n, to.value);
    case 'set':
      return setSteps(from?.kind === 'set' ? from.elements : [], to.elements);
    case 'register':
      return { kind: 'register', value: to.value };
    case 'flag':
      return { kind: 'flag', enable: to.isEnabled };
    case 'map':
      return mapSteps(from?.kind === 'map' ? from : undefined, to);
  }
}

function counterSteps(from: bigint, to: bigint): CounterOperation {
  return { kind: 'counter', increment: to - from };
}

function setSteps(from: readonly ByteString[], to: readonly ByteString[]): SetOperation {
  const [held, wanted] = [new Set(from), new Set(to)];
  return {
    kind: 'set',
    adds: [...wanted].filter((element) => !held.has(element)),
    removes: [...held].filter((element) => !wanted.has(element)),
  };
}

function mapSteps(from: MapValue | undefined, to: MapValue): MapOperation {
  const held = new Map((from?.fields ?? []).map(({ field, value }) => [nameOf(field), value]));
  const wanted = new Set(to.fields.map(({ field }) => nameOf(field)));
  const removes = (from?.fields ?? [])
    .map(({ field }) => field)
    .filter((field) => !wanted.has(nameOf(field)));
  const updates = to.fields.flatMap(({ field, value }) => {
    const before = held.get(nameOf(field));
    const operation = fieldSteps(before, value);
    return before !== undefined && isIdle(operation, before) ? [] : [{ field, operation }];
  });
  return { kind: 'map', removes, updates };
}

/** Whether the operation would leave the value as it is. */
function isIdle(operation: FieldOperation, value: FieldValue): boolean {
  switch (operation.kind) {
    case 'counter':
      return operation.increment === 0n;
    case 'set':
      return operation.adds.length === 0 && operation.removes.length === 0;
    case 'register':
      return value.kind === 'register' && value.value === operation.value;
    case 'flag':
      return value.kind === 'flag' && value.isEnabled === operation.enable;
    case 'map':
      return operation.removes.length === 0 && operation.updates.length === 0;
  }
}

/** Fields of one name and different types are different fields. */
function nameOf({ kind, name }: Field): string {
  return `${kind}:${name}`;
}
