/**
 * The load phase: every shared key once, and for each owner as many keys as its reads wait for.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { Fault } from '../../src/base/fault.ts';
import type { Workload } from '../workload/workload.ts';
import type { LoadClient, Operations } from './operations.ts';
import type { KeySet, ProcessKeys } from './process-keys.ts';

interface FillParts {
  readonly keys: ProcessKeys;
  readonly workload: Workload;
  readonly operations: Operations;
}

const ATTEMPTS_MAX = 10;
const RETRY_PAUSE_MS = 200;

/** Rejects when a key could not be written at all. */
export async function fill(
  parts: FillParts,
  clients: readonly LoadClient[],
  onProgress: (done: number, total: number) => void,
): Promise<void> {
  let done = 0;
  const total = totalOf(parts, clients);
  const store = async (client: LoadClient, set: KeySet, number: number): Promise<void> => {
    await withRetries(() => parts.operations.store(client, set, number));
    done += 1;
    onProgress(done, total);
  };
  const left = new Map(parts.keys.sets.map((set) => [set, set.shared?.shareCount ?? 0]));
  await Promise.all(
    clients.map(async (client) => {
      for (const set of parts.keys.sets) {
        await fillShared(client, set, { left, store });
        await fillOwned(parts, client, { set, store });
      }
    }),
  );
}

type Store = (client: LoadClient, set: KeySet, number: number) => Promise<void>;

async function fillShared(
  client: LoadClient,
  set: KeySet,
  { left, store }: { readonly left: Map<KeySet, number>; readonly store: Store },
): Promise<void> {
  const { shared } = set;
  if (shared === undefined) return;
  for (let rest = left.get(set) ?? 0; rest > 0; rest = left.get(set) ?? 0) {
    left.set(set, rest - 1);
    await store(client, set, shared.add());
    shared.confirm();
  }
}

async function fillOwned(
  { keys, workload }: FillParts,
  client: LoadClient,
  { set, store }: { readonly set: KeySet; readonly store: Store },
): Promise<void> {
  const spec = workload.keys[set.name];
  const owned = keys.ownedBy(set, client.id);
  if (owned === undefined || spec?.kind !== 'owned' || client.id >= workload.clients) return;
  while (owned.count <= spec.least && owned.count < spec.most) {
    await store(client, set, owned.next());
    owned.count += 1;
  }
}

function totalOf({ keys, workload }: FillParts, clients: readonly LoadClient[]): number {
  const owners = clients.filter(({ id }) => id < workload.clients).length;
  return keys.sets.reduce((sum, set) => {
    const spec = workload.keys[set.name];
    const ofOwners = spec?.kind === 'owned' ? owners * Math.min(spec.most, spec.least + 1) : 0;
    return sum + (set.shared?.shareCount ?? 0) + ofOwners;
  }, 0);
}

async function withRetries(store: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await store();
      return;
    } catch (cause) {
      if (attempt >= ATTEMPTS_MAX) {
        const why = cause instanceof Error ? cause.message : String(cause);
        throw new Fault('timeout', `the load phase cannot write: ${why}`, { cause });
      }
      await pause(attempt * RETRY_PAUSE_MS);
    }
  }
}
