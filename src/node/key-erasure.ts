/**
 * The erasure of a key: deleted wherever a member holds it, reaped, and looked for again.
 *
 * The tombstone covers just what the members held when it began, so that what a client writes meanwhile
 * stays, and is told. Reaping goes by the reaper's rule: no member may be away, and each replica has the
 * tombstone first. Until the time is up copies may come home, and replicas that differ are healed by reads.
 *
 * What it does not reach: backups, other clusters, and bytes of the old values in files of the store that
 * nothing points to any more, until these are rewritten.
 */

import { isFault } from '../base/fault.ts';
import { sleep, type Clock } from '../base/host.ts';
import type { ObjectKey } from '../base/names.ts';
import type { VersionVector } from '../clock/version-vector.ts';
import type { DeleteOutcome } from '../object/requests.ts';
import type { KeyTrace } from './key-trace.ts';
import type { NodeService } from './node-service.ts';

export interface ErasureOptions {
  /** Of this node, by the roads of clients. */
  readonly clients: Pick<NodeService, 'get' | 'delete'>;
  /** Whether the tombstone stays. */
  readonly keepsTombstone: boolean;
  readonly timeoutMs: number;
}

/** Of one key. */
export interface ErasurePorts {
  readonly clock: Clock;
  /** Undefined: the bucket type is unknown. */
  readonly trace: () => Promise<KeyTrace | undefined>;
  /** What the members have seen of the key. */
  readonly seen: () => Promise<VersionVector>;
  /** Whether its tombstone has gone. */
  readonly reap: () => Promise<boolean>;
}

/**
 * `erased`: no member holds anything of the key, or, where that is wished, nothing but its tombstone, and
 * nobody is owed anything; `rewritten`: what it held has gone, and a client has written it since; `left`:
 * `trace` tells what is where.
 */
export type ErasureVerdict = 'erased' | 'rewritten' | 'left';

export interface KeyErasure {
  readonly verdict: ErasureVerdict;
  /** Whether there was anything but a tombstone. */
  readonly wasThere: boolean;
  /** How the delete ended, if there was one. */
  readonly deleted: DeleteOutcome['kind'] | undefined;
  readonly keepsTombstone: boolean;
  /** Afterwards. */
  readonly trace: KeyTrace;
}

/** Between two looks. */
const LOOK_AGAIN_MS = 250;

/** Undefined: the bucket type is unknown. */
export async function eraseKey(
  ports: ErasurePorts,
  key: ObjectKey,
  options: ErasureOptions,
): Promise<KeyErasure | undefined> {
  const { clock } = ports;
  const { clients, keepsTombstone, timeoutMs } = options;
  const endMs = clock.monotonicMs() + timeoutMs;
  const before = await ports.trace();
  if (before === undefined) return undefined;
  const dots = new Set(valuesIn(before));
  const wasThere = dots.size > 0;
  const deleted = wasThere ? await deleteAll(ports, key, clients) : undefined;
  for (;;) {
    if (!keepsTombstone) await ports.reap();
    const trace = (await ports.trace()) ?? before;
    const verdict = verdictOn(trace, dots, keepsTombstone);
    const leftMs = endMs - clock.monotonicMs();
    if (verdict !== 'left' || leftMs <= 0) {
      return { verdict, wasThere, deleted, keepsTombstone, trace };
    }
    await heal(clients, key, leftMs);
    await sleep(clock, LOOK_AGAIN_MS);
  }
}

async function deleteAll(
  ports: ErasurePorts,
  key: ObjectKey,
  clients: Pick<NodeService, 'delete'>,
): Promise<DeleteOutcome['kind']> {
  const { kind } = await clients.delete({ key, context: await ports.seen() });
  return kind;
}

/** The dots of all values, wherever they are held. */
function valuesIn({ copies }: KeyTrace): string[] {
  return copies.flatMap(({ siblings }) => {
    return siblings.filter(({ isTombstone }) => !isTombstone).map(({ dot }) => dot);
  });
}

function verdictOn(
  trace: KeyTrace,
  dots: ReadonlySet<string>,
  keepsTombstone: boolean,
): ErasureVerdict {
  const { copies, hintCount, verdict } = trace;
  if (copies.some(({ state }) => state === 'unknown' || state === 'damaged')) return 'left';
  const values = valuesIn(trace);
  if (values.length > 0) return values.some((dot) => dots.has(dot)) ? 'left' : 'rewritten';
  if (hintCount > 0 || verdict === 'differ') return 'left';
  return keepsTombstone || copies.every(({ state }) => state === 'absent') ? 'erased' : 'left';
}

/** A read of all replicas brings each what it lacks. */
async function heal(
  clients: Pick<NodeService, 'get'>,
  key: ObjectKey,
  timeoutMs: number,
): Promise<void> {
  try {
    await clients.get({ key, headOnly: true, asksEveryone: true, timeoutMs });
  } catch (error) {
    if (!isFault(error)) throw error;
  }
}
