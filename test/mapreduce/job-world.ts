/**
 * A node of a few objects, in a map, for jobs to run on; and terms, written briefly.
 */

import assert from 'node:assert/strict';
import t from 'tap';
import { EMPTY_VERSION_VECTOR } from '../../src/clock/version-vector.ts';
import { parseJsonJob } from '../../src/mapreduce/job-from-json.ts';
import { isRefusal } from '../../src/mapreduce/job.ts';
import type { ScriptEngine } from '../../src/mapreduce/script.ts';
import type { JobHost } from '../../src/mapreduce/run-job.ts';
import { LocalMapRun } from './local-map-run.ts';
import { runJob } from '../../src/mapreduce/run-job.ts';
import { JsonResults } from '../../src/mapreduce/term-json.ts';
import { systemHost } from '../../src/telemetry/system-host.ts';
import type { Actor } from '../../src/clock/version-vector.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Job } from '../../src/mapreduce/job.ts';
import type { JobEvent, JobPorts } from '../../src/mapreduce/job-ports.ts';
import type { Link, Sibling, StoredObject } from '../../src/object/stored-object.ts';

const ACTOR = 'a' as Actor;

// The host's own timers do not keep the process alive, and a job that gives way waits for one.
const alive = setInterval(() => {}, 1_000);
t.teardown(() => clearInterval(alive));

export interface StoredValue {
  readonly values: readonly string[];
  readonly links?: readonly (readonly [bucket: string, key: string, tag: string])[];
}

/** `type/bucket/key` → what it holds. */
export type Contents = Readonly<Record<string, StoredValue>>;

export class JobWorld implements JobPorts {
  readonly #contents: Contents;
  readCount = 0;
  /** Reads never come back. */
  isStuck = false;
  /** No replica can map; the job does it itself. */
  isMappedHere = false;
  /** Of the replicas. */
  scripts: ScriptEngine | undefined;

  constructor(contents: Contents) {
    this.#contents = contents;
  }

  async get({ key: { type, bucket, key } }: Parameters<JobPorts['get']>[0]) {
    this.readCount += 1;
    if (this.isStuck) return new Promise<never>(() => undefined);
    if (this.bucketTypeProperties(type) === undefined) {
      return { kind: 'unknown-bucket-type', type } as const;
    }
    const stored = this.#contents[`${type}/${bucket}/${key}`];
    return stored === undefined
      ? ({ kind: 'not-found', tombstone: undefined } as const)
      : ({ kind: 'found', object: objectOf(stored) } as const);
  }

  mapRun(task: Buffer | undefined): LocalMapRun {
    const get = this.get.bind(this);
    return new LocalMapRun(get, this.isMappedHere ? undefined : task, this.scripts);
  }

  async *listKeys(type: ByteString, bucket: ByteString) {
    const prefix = `${type}/${bucket}/`;
    for (const name of Object.keys(this.#contents)) {
      if (name.startsWith(prefix)) yield [name.slice(prefix.length) as ByteString];
    }
  }

  async *index({ type, bucket, from }: Parameters<JobPorts['index']>[0]) {
    for await (const keys of this.listKeys(type, bucket)) {
      yield keys.map((key) => [from, key] as const);
    }
  }

  bucketTypeProperties(type: ByteString): object | undefined {
    return type === 'absent' ? undefined : {};
  }
}

function objectOf({ values, links = [] }: StoredValue): StoredObject {
  const siblings = values.map((value, index): Sibling => {
    return {
      dot: { actor: ACTOR, counter: index + 1 },
      lastModifiedMicros: 0,
      vtag: 'v',
      metadata: { links: links.map(linkOf) },
      isTombstone: false,
      valueSizeBytes: value.length,
      value: Buffer.from(value),
    };
  });
  return { context: EMPTY_VERSION_VECTOR, siblings };
}

function linkOf([bucket, key, tag]: readonly [string, string, string]): Link {
  return { bucket: bucket as ByteString, key: key as ByteString, tag: tag as ByteString };
}

export const metricCounts = new Map<string, number>();

const silent = (): void => {};

const realHost = systemHost(
  { debug: silent, info: silent, warn: silent, error: silent },
  {
    count: (name, by = 1) => void metricCounts.set(name, (metricCounts.get(name) ?? 0) + by),
    gauge: silent,
    observe: silent,
  },
);

export const host: JobHost = {
  ...realHost,
  scripts: undefined,
  mayMap: undefined,
  isWanted: () => true,
};

export function erlangPhase(kind: 'map' | 'reduce', name: string, rest: object = {}): object {
  return { [kind]: { language: 'erlang', module: 'riak_kv_mapreduce', function: name, ...rest } };
}

export function jsonJob(inputs: unknown, query: unknown, rest: object = {}): Job {
  const body = Buffer.from(JSON.stringify({ inputs, query, ...rest }));
  const job = parseJsonJob(body, { hasScripts: true });
  if (isRefusal(job)) throw new Error(JSON.stringify(job));
  return job;
}

export async function eventsOf(
  world: JobPorts,
  job: Job,
  rights: Partial<Pick<JobHost, 'scripts' | 'mayMap'>> = {},
): Promise<readonly JobEvent[]> {
  const events: JobEvent[] = [];
  for await (const event of runJob(job, world, { ...host, ...rights })) events.push(event);
  return events;
}

/**
 * The results by phase as JSON values, or the failure; the same whether functions run where the objects
 * are or where the job is.
 */
export async function resultsOf(
  world: JobWorld,
  job: Job,
  scripts?: ScriptEngine,
): Promise<Readonly<Record<string, unknown>>> {
  world.scripts = scripts;
  world.isMappedHere = false;
  const results = await resultsOnce(world, job, scripts);
  world.isMappedHere = true;
  assert.deepStrictEqual(await resultsOnce(world, job, scripts), results);
  return results;
}

async function resultsOnce(
  world: JobWorld,
  job: Job,
  scripts: ScriptEngine | undefined,
): Promise<Readonly<Record<string, unknown>>> {
  const gathered = new Map<number, JsonResults>();
  for (const event of await eventsOf(world, job, { scripts })) {
    if (event.kind === 'failed') return { failure: event.failure };
    const results = gathered.get(event.phase) ?? new JsonResults();
    gathered.set(event.phase, results);
    results.add(event.results);
  }
  const entries = Array.from(gathered, ([phase, results]) => {
    return [String(phase), JSON.parse(results.text() ?? '"bad_term"')] as const;
  });
  return Object.fromEntries(entries);
}
