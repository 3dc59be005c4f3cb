/**
 * Targets without a network: `null`, which shows what the generator itself costs, and `engine`, the
 * store alone, which shows what a node could give at best.
 */

import { Fault } from '../../src/base/fault.ts';
import { byteStringToBytes } from '../../src/base/bytes.ts';
import { keyToString } from '../../src/base/names.ts';
import { openLevelDbStore } from '../../src/storage/open-leveldb.ts';
import { SystemClock, SystemRandom } from '../../src/telemetry/system-host.ts';
import { makeFolders } from '../../src/storage/make-folders.ts';
import type { Host } from '../../src/base/host.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import type { ObjectKey } from '../../src/base/names.ts';
import type { Store } from '../../src/storage/store.ts';
import type { Driver, ReadAnswer, Session } from './session.ts';

export function nullDriver(): Driver {
  const answer: ReadAnswer = { values: [Buffer.alloc(0)], context: undefined };
  const session: Session = {
    node: 0,
    get: () => nextTurn(answer),
    put: () => nextTurn('stored'),
    delete: () => nextTurn(undefined),
    query: () => nextTurn([]),
    queryApi: () => nextTurn(undefined),
    setProperties: () => Promise.resolve([]),
    keepsSiblings: () => Promise.resolve(false),
    close: () => {},
  };
  return {
    nodes: ['null'],
    answersQueries: true,
    answersQueryApi: true,
    isVerifiable: false,
    isShared: true,
    open: () => session,
    close: () => Promise.resolve(),
  };
}

/** As answers of a network come: with those at once, nothing else would get its turn. */
function nextTurn<T>(answer: T): Promise<T> {
  return new Promise((resolve) => setImmediate(resolve, answer));
}

/** One store for all sessions; it keeps the last value of a key and knows no contexts. */
export async function engineDriver(folder: string): Promise<Driver> {
  try {
    // As the store would have it, if it could not wait for ever below `/proc`.
    makeFolders(folder, 0o700);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Fault('config', `the store ${folder} cannot be opened: ${why}`, { cause });
  }
  const store = await openLevelDbStore(quietHost(), { folder });
  const session = new EngineSession(store);
  return {
    nodes: ['engine'],
    answersQueries: false,
    answersQueryApi: false,
    isVerifiable: true,
    isShared: false,
    open: () => session,
    close: () => store.close(),
  };
}

class EngineSession implements Session {
  readonly node = 0;
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async get(key: ObjectKey): Promise<ReadAnswer> {
    const value = await this.#store.get(storeKey(key));
    return { values: value === undefined ? [] : [value], context: undefined };
  }

  async put(key: ObjectKey, { value }: { readonly value: Buffer }): Promise<'stored'> {
    await this.#store.write([
      { kind: 'put', key: storeKey(key), head: value.subarray(0, 0), body: value },
    ]);
    return 'stored';
  }

  delete(key: ObjectKey): Promise<void> {
    return this.#store.write([{ kind: 'remove', key: storeKey(key) }]);
  }

  query(): Promise<readonly ByteString[]> {
    return Promise.reject(new Fault('config', 'the engine alone answers no queries'));
  }

  queryApi(): Promise<void> {
    return Promise.reject(new Fault('config', 'the engine alone answers no queries'));
  }

  setProperties(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }

  keepsSiblings(): Promise<boolean> {
    return Promise.resolve(false);
  }

  close(): void {}
}

/** Under the space that the store keeps objects in. */
function storeKey(key: ObjectKey): Buffer {
  return byteStringToBytes(`o${keyToString(key)}` as ByteString);
}

function quietHost(): Host {
  const ignore = () => {};
  return {
    clock: new SystemClock(),
    random: new SystemRandom(),
    log: { debug: ignore, info: ignore, warn: ignore, error: ignore },
    metrics: { count: ignore, gauge: ignore, observe: ignore },
  };
}
