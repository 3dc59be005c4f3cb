/**
 * A packed state as the model's plain maps, so that the two can be compared.
 */

import type { Actor } from '../../../src/clock/version-vector.ts';
import type { ByteString } from '../../../src/base/bytes.ts';
import { EntryCursor } from '../../../src/datatype/collection.ts';
import { readAssignments, readContributions, readFlag } from '../../../src/datatype/leaf-store.ts';
import type { FieldKind } from '../../../src/datatype/operation.ts';
import { fieldKeyToField, type PackedDot } from '../../../src/datatype/packed.ts';
import { deferredToText } from '../../../src/datatype/state.ts';
import type { DatatypeState } from '../../../src/datatype/state.ts';
import type { DotStore } from './dot-store.ts';
import type { CausalState } from './state.ts';

/** Comparable with `t.same`: maps are compared by their entries, whatever the order. */
export function packedToPlain(state: DatatypeState): unknown {
  if (state.kind === 'hll') return [...state.registers];
  if (state.kind === 'gset') return namesOf(state.elements);
  const { store, context, deferred } = state;
  return {
    store: storeToPlain(store.kind, store.bytes, [...context.keys()]),
    context,
    deferred: deferred.map(deferredToText).sort(),
  };
}

export function modelToPlain({ store, context, deferred }: CausalState): unknown {
  return { store, context, deferred: deferred.map(deferredToText).sort() };
}

function namesOf(bytes: Buffer): readonly ByteString[] {
  const names: ByteString[] = [];
  for (const cursor = new EntryCursor('gset', bytes); !cursor.isAtEnd; cursor.advance()) {
    names.push(cursor.name());
  }
  return names;
}

function storeToPlain(kind: FieldKind, bytes: Buffer, actors: readonly Actor[]): DotStore {
  const actorAt = ({ position }: PackedDot): Actor => actors[position] as Actor;
  const dotsOf = (dots: readonly PackedDot[]): Map<Actor, number> => {
    return new Map(dots.map((dot) => [actorAt(dot), dot.counter]));
  };
  switch (kind) {
    case 'counter':
      return {
        kind,
        contributions: new Map(
          readContributions(bytes, undefined).map((entry) => {
            return [actorAt(entry), { counter: entry.counter, value: entry.value }];
          }),
        ),
      };
    case 'register':
      return {
        kind,
        assignments: new Map(
          readAssignments(bytes, undefined).map((entry) => {
            const { counter, atMicros, value } = entry;
            return [actorAt(entry), { counter, atMicros, value }];
          }),
        ),
      };
    case 'flag':
      return { kind, dots: dotsOf(readFlag(bytes, undefined)) };
    case 'set': {
      const dotsByElement = new Map<ByteString, Map<Actor, number>>();
      for (const cursor = new EntryCursor(kind, bytes); !cursor.isAtEnd; cursor.advance()) {
        dotsByElement.set(cursor.name(), dotsOf(cursor.dots(undefined)));
      }
      return { kind, dotsByElement };
    }
    case 'map': {
      const fields = new Map<ByteString, { dots: Map<Actor, number>; content: DotStore }>();
      for (const cursor = new EntryCursor(kind, bytes); !cursor.isAtEnd; cursor.advance()) {
        const key = cursor.name();
        const content = storeToPlain(fieldKeyToField(key).kind, cursor.content(), actors);
        fields.set(key, { dots: dotsOf(cursor.dots(undefined)), content });
      }
      return { kind, fields };
    }
  }
}
