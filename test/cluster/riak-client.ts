/**
 * Basho's own client for Node, `basho-riak-client`, as it comes from npm: typed where tests use it,
 * with promises for its callbacks.
 */

import { createRequire } from 'node:module';

/** Names and shapes are the client's; an absent value is null. */
export interface RiakObject {
  readonly key: string;
  readonly value: Buffer;
  readonly vclock: Buffer;
  readonly contentType: string;
  readonly contentEncoding?: string;
  readonly isTombstone: boolean;
  readonly lastModified: number;
  readonly userMeta: readonly { readonly key: string; readonly value: string }[];
  readonly indexes?: Readonly<Record<string, readonly (string | number)[]>>;
  setValue(value: unknown): RiakObject;
  setContentType(type: string): RiakObject;
  setUserMeta(pairs: readonly { key: string; value: string }[]): RiakObject;
  addToIndex(name: string, ...terms: (string | number)[]): RiakObject;
}

export interface FetchReply {
  readonly isNotFound: boolean;
  readonly isUnchanged: boolean;
  readonly vclock: Buffer | null;
  readonly values: readonly RiakObject[];
}

export interface StoreReply {
  readonly generatedKey: string | null;
  readonly vclock: Buffer | null;
  readonly values: readonly RiakObject[];
}

export interface IndexReply {
  readonly values: readonly { readonly indexKey: unknown; readonly objectKey: string }[];
  readonly continuation: unknown;
}

export interface SetReply {
  readonly context: Buffer | null;
  readonly values: readonly string[] | null;
}

export interface MapReply {
  readonly context: Buffer | null;
  readonly map: {
    readonly counters: Readonly<Record<string, number>>;
    readonly sets: Readonly<Record<string, readonly string[]>>;
    readonly registers: Readonly<Record<string, Buffer>>;
    readonly flags: Readonly<Record<string, boolean>>;
    readonly maps: Readonly<Record<string, MapReply['map']>>;
  };
}

/** Gathers what is to be done to a map; each method gives the gatherer back, but `map`. */
export interface MapOperation {
  incrementCounter(name: string, by: number): MapOperation;
  removeCounter(name: string): MapOperation;
  addToSet(name: string, value: string): MapOperation;
  removeFromSet(name: string, value: string): MapOperation;
  removeSet(name: string): MapOperation;
  setRegister(name: string, value: Buffer): MapOperation;
  removeRegister(name: string): MapOperation;
  setFlag(name: string, isEnabled: boolean): MapOperation;
  removeFlag(name: string): MapOperation;
  /** The operation on the map of that name within. */
  map(name: string): MapOperation;
  removeMap(name: string): MapOperation;
}

interface Replies {
  readonly fetchCounter: { readonly counterValue: number | null };
  readonly updateCounter: {
    readonly generatedKey: string | null;
    readonly counterValue: number | null;
  };
  readonly fetchSet: SetReply & { readonly isNotFound: boolean };
  readonly updateSet: SetReply & { readonly generatedKey: string | null };
  readonly fetchMap: MapReply & { readonly isNotFound: boolean };
  readonly updateMap: MapReply & { readonly generatedKey: string | null };

  readonly ping: boolean;
  readonly fetchServerInfo: { readonly node: string; readonly server_version: string };
  readonly storeValue: StoreReply;
  readonly fetchValue: FetchReply;
  readonly deleteValue: boolean;
  readonly listBuckets: { readonly buckets: readonly string[] };
  readonly listKeys: { readonly keys: readonly string[] };
  readonly secondaryIndexQuery: IndexReply;
  readonly fetchBucketProps: Readonly<Record<string, unknown>>;
  readonly storeBucketProps: boolean;
  readonly resetBucketProps: boolean;
  readonly fetchBucketTypeProps: Readonly<Record<string, unknown>>;
  readonly fetchPreflist: { readonly preflist: readonly unknown[] };
}

type Callback<Reply> = (error: string | Error | null, reply: Reply) => void;
type Command<Reply> = (options: unknown, callback: Callback<Reply>) => void;
type RawClient = { readonly [Name in keyof Replies]: Command<Replies[Name]> } & {
  execute(command: object): void;
  stop(callback: () => void): void;
};

type CommandMaker<Reply> = new (options: object, callback: Callback<Reply>) => object;

interface Library {
  readonly Client: new (cluster: unknown, started: (error: Error | null) => void) => RawClient;
  readonly Cluster: new (options: { readonly nodes: readonly unknown[] }) => unknown;
  readonly Node: new (options: {
    readonly remoteAddress: string;
    readonly remotePort: number;
  }) => unknown;
  readonly Commands: {
    readonly KV: { readonly RiakObject: new () => RiakObject };
    readonly CRDT: {
      readonly FetchHll: CommandMaker<{ readonly cardinality: number | null }>;
      readonly UpdateHll: CommandMaker<{ readonly cardinality: number | null }>;
      readonly UpdateMap: { readonly MapOperation: new () => MapOperation };
    };
  };
}

// The package is CommonJS and has no types.
const library = createRequire(import.meta.url)('basho-riak-client') as Library;

export const newObject = (): RiakObject => new library.Commands.KV.RiakObject();

export const newMapOperation = (): MapOperation =>
  new library.Commands.CRDT.UpdateMap.MapOperation();

export interface RiakClient {
  /** Rejects with Riak's own words. */
  ask<Name extends keyof Replies>(command: Name, options?: object): Promise<Replies[Name]>;
  /** The client has these as commands to be executed, not as methods. */
  askHll(command: 'FetchHll' | 'UpdateHll', options: object): Promise<number | null>;
  stop(): Promise<void>;
}

export async function connectRiakClient(
  nodes: readonly { readonly host: string; readonly pbcPort: number }[],
): Promise<RiakClient> {
  const cluster = new library.Cluster({
    nodes: nodes.map(
      ({ host, pbcPort }) => new library.Node({ remoteAddress: host, remotePort: pbcPort }),
    ),
  });
  const client = await new Promise<RawClient>((resolve, reject) => {
    const opened: RawClient = new library.Client(cluster, (error) => {
      if (error) reject(error);
      else resolve(opened);
    });
  });
  return {
    ask(command, options) {
      return new Promise((resolve, reject) => {
        const callback: Callback<Replies[typeof command]> = (error, reply) => {
          if (error) reject(error instanceof Error ? error : new Error(error));
          else resolve(reply);
        };
        // The commands without options take the callback alone.
        const run = client[command] as unknown as (...given: unknown[]) => void;
        if (options === undefined) run.call(client, callback);
        else run.call(client, options, callback);
      });
    },
    askHll(command, options) {
      return new Promise((resolve, reject) => {
        const made = new library.Commands.CRDT[command](options, (error, reply) => {
          if (error) reject(error instanceof Error ? error : new Error(error));
          else resolve(reply.cardinality);
        });
        client.execute(made);
      });
    },
    stop: () => new Promise((resolve) => client.stop(resolve)),
  };
}
