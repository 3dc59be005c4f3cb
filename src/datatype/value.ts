/**
 * What clients see of a state.
 */

import type { ByteString } from '../base/bytes.ts';
import type { VersionVector } from '../clock/version-vector.ts';
import { fieldKeyToField, type DotStore, type RegisterStore } from './dot-store.ts';
import { estimate } from './hyperloglog.ts';
import type { DatatypeValue, FieldValue } from './operation.ts';
import type { DatatypeState } from './state.ts';

export function valueOf(state: DatatypeState): DatatypeValue {
  if (state.kind === 'gset') return { kind: 'gset', elements: sorted(state.elements) };
  if (state.kind === 'hll') return { kind: 'hll', count: estimate(state.registers) };
  return fieldValueOf(state.store) as DatatypeValue;
}

/** What a client sends back to remove what it saw; undefined where nothing needs one. */
export function contextOf(state: DatatypeState): VersionVector | undefined {
  if (state.kind !== 'causal' || state.store.kind === 'counter') return undefined;
  return state.context.size === 0 ? undefined : state.context;
}

function fieldValueOf(store: DotStore): FieldValue {
  switch (store.kind) {
    case 'counter': {
      let value = 0n;
      for (const contribution of store.contributions.values()) value += contribution.value;
      return { kind: 'counter', value };
    }
    case 'set':
      return { kind: 'set', elements: sorted(store.dotsByElement.keys()) };
    case 'register':
      return { kind: 'register', value: registerValue(store) };
    case 'flag':
      return { kind: 'flag', isEnabled: store.dots.size > 0 };
    case 'map': {
      const fields = sorted(store.fields.keys()).map((key) => ({
        field: fieldKeyToField(key),
        // The keys come from the map itself.
        value: fieldValueOf((store.fields.get(key) as { content: DotStore }).content),
      }));
      return { kind: 'map', fields };
    }
  }
}

/** The newest assignment; of two of one microsecond the larger value. */
function registerValue({ assignments }: RegisterStore): ByteString {
  let newest = { atMicros: -1, value: '' as ByteString };
  for (const assignment of assignments.values()) {
    const isNewer =
      assignment.atMicros > newest.atMicros ||
      (assignment.atMicros === newest.atMicros && assignment.value > newest.value);
    if (isNewer) newest = assignment;
  }
  return newest.value;
}

function sorted(names: Iterable<ByteString>): ByteString[] {
  return [...names].sort();
}
