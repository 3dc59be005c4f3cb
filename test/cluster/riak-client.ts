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

interface Replies {
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
  stop(callback: () => void): void;
};

interface Library {
  readonly Client: new (cluster: unknown, started: (error: Error | null) => void) => RawClient;
  readonly Cluster: new (options: { readonly nodes: readonly unknown[] }) => unknown;
  readonly Node: new (options: {
    readonly remoteAddress: string;
    readonly remotePort: number;
  }) => unknown;
  readonly Commands: { readonly KV: { readonly RiakObject: new () => RiakObject } };
}

// The package is CommonJS and has no types.
const library = createRequire(import.meta.url)('basho-riak-client') as Library;

export const newObject = (): RiakObject => new library.Commands.KV.RiakObject();

export interface RiakClient {
  /** Rejects with Riak's own words. */
  ask<Name extends keyof Replies>(command: Name, options?: object): Promise<Replies[Name]>;
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
    stop: () => new Promise((resolve) => client.stop(resolve)),
  };
}
