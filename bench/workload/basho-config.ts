/**
 * basho_bench configuration files as workloads, so that their owners can keep them.
 *
 * Read are the drivers for Riak (`riakc_pb`, `http_raw`, `nhs` and what has their operations), the key
 * and value generators with a fixed meaning, and the mode. What has no counterpart is refused by name,
 * never left out in silence; quorums are those of the bucket, and the report says so. Operations of the
 * NHS driver keep their meaning: silent until a client owns enough keys, and not found is an error.
 */

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { Fault } from '../../src/base/fault.ts';
import { parseErlangTerms } from './erlang-text.ts';
import { bashoKeys, bashoValue } from './basho-generators.ts';
import type { ErlangTerm } from './erlang-text.ts';
import type { BucketSpec, KeyOrder, KeySetSpec, OperationSpec, StepSpec } from './workload.ts';
import type { ValueSpec, Workload } from './workload.ts';

const MINUTE_MS = 60_000;
const FIRST_KEYS = 'keys';
/** Of requests. */
const QUORUMS = /^riakc(?:_pb|lient)_(?:replies|r|w|dw|rw|pr|pw)$/;
const DRIVERS = /^basho_bench_driver_(riakc_pb|http_raw|nhs|riakclient|null)$/;

/** Rejects with a `config` fault that says what it cannot do. */
export function readBashoConfig(path: string): Workload {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new Fault('config', `${path} cannot be read`, { cause });
  }
  return parseBashoConfig(basename(path), text);
}

export function parseBashoConfig(name: string, text: string): Workload {
  return new BashoFile(name, parseErlangTerms(name, text)).workload();
}

class BashoFile {
  readonly #name: string;
  readonly #settings = new Map<string, ErlangTerm>();

  constructor(name: string, terms: readonly ErlangTerm[]) {
    this.#name = name;
    for (const term of terms) {
      const [key, value] = term.kind === 'tuple' ? term.items : [];
      if (key?.kind === 'atom' && value !== undefined) this.#settings.set(key.name, value);
    }
  }

  workload(): Workload {
    const driver = this.#atom('driver') ?? '';
    if (!DRIVERS.test(driver)) throw this.#fault(`the driver ${driver} is not for Riak`);
    const clients = this.#number('concurrent') ?? 3;
    const isNhs = driver.endsWith('_nhs');
    const keys: Record<string, KeySetSpec> = isNhs ? this.#nhsKeys() : {};
    keys[FIRST_KEYS] = bashoKeys(this.#name, this.#settings.get('key_generator'), 'record');
    return {
      name: this.#name.replace(/\.config$/, ''),
      about: this.#about(),
      clients,
      buckets: isNhs
        ? this.#nhsBuckets()
        : { record: this.#plainBucket(), document: this.#plainBucket() },
      keys,
      values: this.#values(),
      operations: this.#operations(keys),
      load: { fill: false, clients },
      settleMs: 0,
      warmUp: { operations: 0, atMostMs: 0 },
      steady: { atMostMs: 0, windowMs: 1_000, windows: 5, within: 0.1 },
      measure: [this.#step(clients)],
      fault: undefined,
      recover: undefined,
    };
  }

  #about(): string {
    const quorums = [...this.#settings.keys()].filter((key) => QUORUMS.test(key));
    const about = `read from ${this.#name}`;
    if (quorums.length === 0) return about;
    return `${about}; left out: ${quorums.join(', ')}, in whose place the bucket's quorums hold`;
  }

  #step(clients: number): StepSpec {
    const mode = this.#settings.get('mode');
    const duration = this.#settings.get('duration');
    if (duration !== undefined && duration.kind !== 'number') {
      const name = duration.kind === 'atom' ? duration.name : duration.kind;
      throw this.#fault(`the duration ${name} has no counterpart: give minutes`);
    }
    const durationMs = MINUTE_MS * (duration?.value ?? 5);
    const step = { durationMs, clients, steps: 1, arrivals: 'poisson', events: [] } as const;
    if (mode === undefined || (mode.kind === 'atom' && mode.name === 'max')) {
      return { ...step, loop: 'closed' };
    }
    const rate = mode.kind === 'tuple' ? mode.items[1] : undefined;
    const each = rate?.kind === 'number' ? rate.value : 1_000;
    // There the rate is that of each worker, and `{rate, max}` is a closed loop.
    if (rate?.kind === 'atom') return { ...step, loop: 'closed' };
    return { ...step, loop: 'open', rate: { value: each * clients, unit: '/s' } };
  }

  #values(): Record<string, ValueSpec> {
    const document = this.#tuple('unique');
    const size = document?.[0]?.kind === 'number' ? document[0].value : 8_000;
    return {
      value: bashoValue(this.#name, this.#settings.get('value_generator')),
      document: {
        kind: 'fixed',
        content: 'random',
        minBytes: size,
        spanBytes: 0,
        largeFactor: 1,
        largeShare: 0,
      },
    };
  }

  #nhsKeys(): Record<string, KeySetSpec> {
    const [most, least, order] = this.#tuple('alwaysget') ?? [];
    const [, documentOrder] = this.#tuple('unique') ?? [];
    return {
      records: {
        kind: 'owned',
        bucket: 'record',
        most: most?.kind === 'number' ? most.value : 1,
        least: least?.kind === 'number' ? least.value : 1,
        order: orderOf(order),
      },
      documents: { kind: 'queue', bucket: 'document', order: orderOf(documentOrder) },
    };
  }

  #nhsBuckets(): Record<string, BucketSpec> {
    const bucket = (setting: string, fallback: string, sync: string): BucketSpec => ({
      type: 'default',
      bucket: this.#text(`${setting}_bucket`) ?? fallback,
      properties: {
        node_confirms: this.#number('node_confirms') ?? 2,
        sync_on_write: this.#text(`${setting}_sync`) ?? sync,
      },
    });
    return {
      record: bucket('record', 'domainRecord', 'one'),
      document: bucket('document', 'domainDocument', 'backend'),
    };
  }

  #plainBucket(): BucketSpec {
    const params = this.#settings.get('http_raw_params');
    const hasParams = params !== undefined && !(params.kind === 'text' && params.text === '');
    if (hasParams) throw this.#fault('http_raw_params has no counterpart');
    const path = this.#text('http_raw_path');
    if (path !== undefined) return { ...this.#bucketIn(path), properties: {} };
    const given = this.#settings.get('riakc_pb_bucket');
    if (given?.kind === 'tuple') {
      const [type, bucket] = given.items.map((item) => (item.kind === 'text' ? item.text : ''));
      return { type: type ?? 'default', bucket: bucket ?? 'test', properties: {} };
    }
    return {
      type: 'default',
      bucket: given?.kind === 'text' ? given.text : 'test',
      properties: {},
    };
  }

  #bucketIn(path: string): { readonly type: string; readonly bucket: string } {
    const found = /^(?:\/types\/([^/]+))?\/(?:riak\/([^/]+)|buckets\/([^/]+)\/keys)\/?$/.exec(path);
    const [, type = 'default', old, named] = found ?? [];
    try {
      const bucket = decodeURIComponent(old ?? named ?? '');
      if (bucket !== '') return { type: decodeURIComponent(type), bucket };
    } catch {
      // Said below.
    }
    throw this.#fault(`the http_raw_path ${path} has no counterpart`);
  }

  #operations(keys: Readonly<Record<string, KeySetSpec>>): OperationSpec[] {
    const list = this.#settings.get('operations');
    if (list?.kind !== 'list' || list.items.length === 0)
      throw this.#fault('operations is missing');
    return list.items.map((item) => {
      const [first, second, third] = item.kind === 'tuple' ? item.items : [];
      const label = first?.kind === 'atom' ? first.name : '';
      const op = third === undefined ? label : second?.kind === 'atom' ? second.name : '';
      const weight = third ?? second;
      const known = OPERATIONS[op.replace(/_http$|_pb$/, '')] ?? OPERATIONS[op];
      if (known === undefined || !Object.hasOwn(keys, known.keys)) {
        throw this.#fault(`the operation ${op} has no counterpart`);
      }
      const postcodes = this.#number('postcode_indexcount') ?? 3;
      return {
        name: label,
        weight: weight?.kind === 'number' ? weight.value : 1,
        postcodes,
        ...known,
      };
    });
  }

  #tuple(key: string): readonly ErlangTerm[] | undefined {
    const term = this.#settings.get(key);
    return term?.kind === 'tuple' ? term.items : undefined;
  }

  #number(key: string): number | undefined {
    const term = this.#settings.get(key);
    return term?.kind === 'number' ? term.value : undefined;
  }

  #text(key: string): string | undefined {
    const term = this.#settings.get(key);
    return term?.kind === 'text' ? term.text : undefined;
  }

  #atom(key: string): string | undefined {
    const term = this.#settings.get(key);
    return term?.kind === 'atom' ? term.name : undefined;
  }

  #fault(why: string): Fault {
    return new Fault('config', `${this.#name}: ${why}`);
  }
}

type Meaning = Omit<OperationSpec, 'name' | 'weight'>;

const RECORDS = { keys: 'records', value: 'value' } as const;
const PLAIN = { keys: FIRST_KEYS, value: 'value' } as const;
const SPINE = { terms: 'spine_record', not_found: 'error' } as const;

/** By the name without the protocol at its end. */
const OPERATIONS: Readonly<Record<string, Meaning>> = {
  get: { op: 'get', keys: FIRST_KEYS },
  get_existing: { op: 'get', keys: FIRST_KEYS, not_found: 'error' },
  put: { op: 'put', ...PLAIN },
  insert: { op: 'put', ...PLAIN },
  update: { op: 'update', ...PLAIN },
  update_with2i: { op: 'update', ...PLAIN, terms: 'spine_record' },
  delete: { op: 'delete', keys: FIRST_KEYS },
  alwaysget: { op: 'get', keys: 'records', not_found: 'error' },
  alwaysget_updatewith2i: { op: 'update', ...RECORDS, ...SPINE },
  alwaysget_updatewithout2i: { op: 'update', ...RECORDS, not_found: 'error' },
  put_unique: { op: 'insert', keys: 'documents', value: 'document', terms: 'spine_document' },
  get_unique: { op: 'get', keys: 'documents', not_found: 'error' },
  delete_unique: { op: 'delete', keys: 'documents' },
  postcodequery: { op: 'query', keys: 'records', query: 'postcode' },
  dobquery: { op: 'query', keys: 'records', query: 'date_of_birth' },
};

function orderOf(term: ErlangTerm | undefined): KeyOrder {
  return term?.kind === 'atom' && term.name === 'skew_order' ? 'skew_order' : 'key_order';
}
