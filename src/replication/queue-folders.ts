/**
 * The files of replication queues: a folder for each queue, in the folder `replication` of the node's data.
 *
 * Folders are made when something is written. Those of queues that are not configured any more are removed:
 * who configures one again begins with a full-sync.
 */

import { constants } from 'node:fs';
import { mkdir, open, readdir, readFile, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import type { SpoolFolder } from '../node/key-spool.ts';

/** So that no queue's name is one that the file system has a use for. */
const PREFIX = 'queue-';

/** Removes what is of no queue of these; a disk that fails is left as it is. */
export async function removeOtherQueues(
  { log }: Pick<Host, 'log'>,
  dataFolder: string,
  queues: readonly string[],
): Promise<void> {
  const folder = join(dataFolder, 'replication');
  const known = new Set(queues.map((queue) => PREFIX + queue));
  try {
    const names = (await readdir(folder)).filter(
      (name) => name.startsWith(PREFIX) && !known.has(name),
    );
    for (const name of names) {
      await rm(join(folder, name), { recursive: true });
      log.info('replication.queue-removed', { queue: name.slice(PREFIX.length) });
    }
  } catch (error) {
    const fault = toFault(error);
    if (isMissing(error)) return;
    log.warn('replication.queue-not-removed', { reason: fault.message });
  }
}

export class QueueFolder implements SpoolFolder {
  readonly #path: string;

  constructor(dataFolder: string, queue: string) {
    this.#path = join(dataFolder, 'replication', PREFIX + queue);
  }

  list(): ReturnType<SpoolFolder['list']> {
    return this.#orFault(async () => {
      const names = await readdir(this.#path).catch(unlessMissing<string[]>([]));
      const sizes = names.map(async (name) => (await stat(join(this.#path, name))).size);
      const files = await Promise.all(sizes);
      return names.map((name, index) => ({ name, sizeBytes: files[index] ?? 0 }));
    });
  }

  read(name: string): Promise<Buffer | undefined> {
    return this.#orFault(() => readFile(join(this.#path, name)).catch(unlessMissing(undefined)));
  }

  write(
    { name, position }: { readonly name: string; readonly position: number },
    bytes: Buffer,
  ): Promise<void> {
    return this.#orFault(async () => {
      await mkdir(this.#path, { recursive: true, mode: 0o700 });
      const flags = constants.O_WRONLY | constants.O_CREAT;
      const file = await open(join(this.#path, name), flags, 0o600);
      try {
        await file.truncate(position);
        for (let done = 0; done < bytes.length;) {
          const { bytesWritten } = await file.write(bytes, done, undefined, position + done);
          done += bytesWritten;
        }
      } finally {
        await file.close();
      }
    });
  }

  remove(name: string): Promise<void> {
    return this.#orFault(() => unlink(join(this.#path, name)).catch(unlessMissing(undefined)));
  }

  sync(): Promise<void> {
    return this.#orFault(async () => {
      const names = await readdir(this.#path).catch(unlessMissing(undefined));
      if (names === undefined) return;
      for (const name of names) await syncFile(join(this.#path, name));
      await syncFile(this.#path);
    });
  }

  async #orFault<Result>(step: () => Promise<Result>): Promise<Result> {
    try {
      return await step();
    } catch (error) {
      throw toFault(error);
    }
  }
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function unlessMissing<Result>(result: Result): (error: unknown) => Result {
  return (error) => {
    if (isMissing(error)) return result;
    throw error;
  };
}

/** What a refusal of the system is; bugs are thrown on. */
function toFault(error: unknown): Fault {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (!(error instanceof Error) || typeof code !== 'string' || !/^E[A-Z0-9]+$/.test(code)) {
    throw error;
  }
  const reason = `a replication queue's files: ${error.message}`;
  return new Fault(code === 'ENOSPC' ? 'disk-full' : 'config', reason, { cause: error });
}
