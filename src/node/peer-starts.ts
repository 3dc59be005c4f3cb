/**
 * Peer starts: which start of each peer this node admitted last, noted for its own next start.
 *
 * A copy of a peer's disk that is put back in secret is told by who remembers a later start
 * (`base/lineage.ts`), and all nodes may have been restarted meanwhile. The note is given to the store
 * when a link is admitted, so before anything that comes over that link. A store that may have forgotten
 * keeps what it says of its peers, but that it is the last of them.
 *
 *   meta 'peer-starts' → JSON, a row for each:
 *     [name, incarnation, mark, incarnation of its origin, mark of its origin, is it the last]
 */

import { isFault } from '../base/fault.ts';
import type { ByteString } from '../base/bytes.ts';
import { utf8ToByteString } from '../base/bytes.ts';
import type { Host } from '../base/host.ts';
import { sleep } from '../base/host.ts';
import { lastStart, type KnownStart, type Lineage } from '../base/lineage.ts';
import type { NodeId } from '../base/names.ts';
import { encodeMetaKey } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';

const NOTE_KEY = encodeMetaKey(utf8ToByteString('peer-starts'));
const RETRY_MS = 1_000;
/**
 * As far as a wall clock is ever wrong: 139 years in milliseconds. What is beyond is remembered by the
 * running process only, so that a restart of it ends what cannot be settled (`succession.ts`).
 */
const AHEAD_MAX_MS = 2 ** 42;

export interface PeerStart extends KnownStart {
  /** Whether nothing later was seen of it and forgotten. */
  readonly isLast: boolean;
}

/** What the transport says of whom it has let in; no lineage where its build does not tell any. */
export interface AdmittedPeer {
  readonly node: NodeId;
  readonly lineage?: Lineage | undefined;
}

type Row = readonly [NodeId, number, string, number, string, boolean];

export class PeerStarts {
  readonly #host: Host;
  readonly #store: Store;
  readonly #isMember: (node: NodeId) => boolean;
  readonly #recalled: ReadonlyMap<NodeId, PeerStart>;
  readonly #starts: Map<NodeId, PeerStart>;
  #isRetrying = false;

  private constructor(
    host: Host,
    ports: { readonly store: Store; readonly isMember: (node: NodeId) => boolean },
    recalled: ReadonlyMap<NodeId, PeerStart>,
  ) {
    this.#host = host;
    this.#store = ports.store;
    this.#isMember = ports.isMember;
    this.#recalled = recalled;
    this.#starts = new Map(recalled);
  }

  /** `isMember`: who is none any more is left out of the next note. */
  static async open(
    host: Host,
    ports: { readonly store: Store; readonly isMember: (node: NodeId) => boolean },
    options: { readonly mayHaveForgotten: boolean },
  ): Promise<PeerStarts> {
    const noted = await readNote(ports.store);
    if (!options.mayHaveForgotten) return new PeerStarts(host, ports, noted);
    const doubted = new Map([...noted].map(([node, start]) => [node, { ...start, isLast: false }]));
    await ports.store.write([putNote(doubted)]);
    return new PeerStarts(host, ports, doubted);
  }

  /** What was noted of `node` before this start. */
  recall(node: NodeId): PeerStart | undefined {
    return this.#recalled.get(node);
  }

  /** Noted before anything that comes over the peer's link. */
  note({ node, lineage }: AdmittedPeer): void {
    const start = lineage && this.#noteworthy(lineage);
    const noted = this.#starts.get(node);
    if (start === undefined) {
      // Not even what was noted before is the last of it now.
      if (noted === undefined || !noted.isLast) return;
      this.#starts.set(node, { ...noted, isLast: false });
    } else {
      if (noted !== undefined && isSame(noted, start)) return;
      this.#starts.set(node, start);
    }
    void this.#write();
  }

  #noteworthy(lineage: Lineage): PeerStart | undefined {
    const { incarnation, mark } = lastStart(lineage);
    const wallMs = this.#host.clock.wallMicros() / 1_000;
    if (incarnation >= wallMs + AHEAD_MAX_MS) return undefined;
    return { incarnation, mark, origin: lineage.origin, isLast: true };
  }

  /** Given to the store before it returns; the last one given stays. */
  async #write(): Promise<void> {
    for (const node of this.#starts.keys()) {
      if (!this.#isMember(node)) this.#starts.delete(node);
    }
    try {
      await this.#store.write([putNote(this.#starts)]);
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#host.log.warn('node.peer-starts-not-noted', { code: error.code });
      // A store that takes nothing any more takes no dots of a peer either.
      if (error.code !== 'overload' || this.#isRetrying) return;
      this.#isRetrying = true;
      await sleep(this.#host.clock, RETRY_MS);
      this.#isRetrying = false;
      await this.#write();
    }
  }
}

function isSame(left: PeerStart, right: PeerStart): boolean {
  return (
    left.mark === right.mark &&
    left.incarnation === right.incarnation &&
    left.isLast === right.isLast
  );
}

function putNote(starts: ReadonlyMap<NodeId, PeerStart>) {
  const rows = Array.from(starts, ([node, { incarnation, mark, origin, isLast }]): Row => {
    return [node, incarnation, mark, origin.incarnation, origin.mark, isLast];
  });
  return { kind: 'put', key: NOTE_KEY, head: Buffer.from(JSON.stringify(rows)) } as const;
}

/** Whether who opened the store before knew `node` as a peer, and so was not that node. */
export async function isNotedAsPeer(store: Store, node: NodeId): Promise<boolean> {
  return (await readNote(store)).has(node);
}

async function readNote(store: Store): Promise<Map<NodeId, PeerStart>> {
  const bytes = await store.get(NOTE_KEY);
  return bytes === undefined ? new Map() : decodeNote(bytes);
}

/** Bytes that no `putNote` made say nothing. */
function decodeNote(bytes: Buffer): Map<NodeId, PeerStart> {
  const starts = new Map<NodeId, PeerStart>();
  for (const [node, incarnation, mark, originIncarnation, originMark, isLast] of rowsOf(bytes)) {
    const origin = { incarnation: originIncarnation, mark: originMark as ByteString };
    starts.set(node, { incarnation, mark: mark as ByteString, origin, isLast });
  }
  return starts;
}

function rowsOf(bytes: Buffer): readonly Row[] {
  let rows: unknown;
  try {
    rows = JSON.parse(bytes.toString());
  } catch {
    return [];
  }
  return Array.isArray(rows) ? rows.filter(isRow) : [];
}

function isRow(row: unknown): row is Row {
  if (!Array.isArray(row) || row.length !== 6) return false;
  const types = row.map((field: unknown) => typeof field).join(' ');
  return types === 'string number string number string boolean';
}
