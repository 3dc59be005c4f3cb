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
import { parseErlangTerms, termText } from './erlang-text.ts';
import { bashoKeys, bashoValue } from './basho-generators.ts';
import type { ErlangTerm } from './erlang-text.ts';
import type { BucketSpec, KeyOrder, KeySetSpec, OperationSpec, StepSpec } from './workload.ts';
import type { ValueSpec, Workload } from './workload.ts';

const MINUTE_MS = 60_000;
const FIRST_KEYS = 'keys';
/** Of requests. */
const QUORUMS = /^riakc(?:_pb|lient)_(?:replies|r|w|dw|rw|pr|pw)$/;
/** The target is named on the command line, and so is where the report goes. */
const OF_TARGET =
  /^(?:riakc_pb|http_raw|pb|http|replpb)_(?:ips|ports?)$|^riakclient_(?:nodes|cookie|mynode)$/;
const OF_RUN = new Set(['code_paths', 'log_level', 'report_interval', 'test_dir']);
/** Of a duration: until somebody stops it. */
const ENDLESS = 'infinity';
/** As basho_bench has them. */
const DEFAULTS = `{mode, {rate, 5}}. {duration, 5}. {concurrent, 3}.
  {driver, basho_bench_driver_http_raw}. {operations, [{get, 4}, {put, 4}, {delete, 1}]}.
  {key_generator, {uniform_int, 100000}}. {value_generator, {fixed_bin, 100}}.`;
const CLIENTS_MAX = 65_000;
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
  /** Those that were looked at. */
  readonly #read = new Set<string>();

  constructor(name: string, terms: readonly ErlangTerm[]) {
    this.#name = name;
    for (const term of [...parseErlangTerms('the defaults', DEFAULTS), ...terms]) {
      const [key, value] = term.kind === 'tuple' ? term.items : [];
      if (key?.kind === 'atom' && value !== undefined) this.#settings.set(key.name, value);
    }
  }

  workload(): Workload {
    const driver = this.#atom('driver') ?? '';
    if (!DRIVERS.test(driver)) throw this.#fault(`the driver ${driver} has no counterpart`);
    const clients = this.#number('concurrent') ?? 0;
    if (!Number.isInteger(clients) || clients < 1 || clients > CLIENTS_MAX) {
      const given = termText(this.#settings.get('concurrent'));
      throw this.#fault(`concurrent must be from 1 to ${CLIENTS_MAX}, not ${given}`);
    }
    const isNhs = driver.endsWith('_nhs');
    const keys: Record<string, KeySetSpec> = isNhs ? this.#nhsKeys() : {};
    keys[FIRST_KEYS] = bashoKeys(this.#name, this.#setting('key_generator'), 'record');
    const workload = {
      name: this.#name.replace(/\.config$/, ''),
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
    return { ...workload, about: this.#about() };
  }

  /** With what was not looked at. */
  #about(): string {
    const names = [...this.#settings.keys()].filter((key) => !this.#read.has(key));
    const quorums = names.filter((key) => QUORUMS.test(key));
    const others = names.filter((key) => !isKnown(key));
    let about = `read from ${this.#name}`;
    if (termText(this.#setting('duration')) === ENDLESS) {
      about += `; duration ${ENDLESS}: --duration is needed`;
    }
    if (quorums.length > 0) {
      about += `; left out: ${quorums.join(', ')}, in whose place the bucket's quorums hold`;
    }
    if (others.length > 0) about += `; not read: ${others.join(', ')}`;
    return about;
  }

  #step(clients: number): StepSpec {
    const mode = this.#setting('mode');
    const given = termText(this.#setting('duration'));
    const minutes = given === ENDLESS ? Infinity : (this.#number('duration') ?? 0);
    if (minutes <= 0) {
      throw this.#fault(`the duration ${given} has no counterpart: give minutes`);
    }
    const durationMs = MINUTE_MS * minutes;
    const step = { durationMs, clients, steps: 1, arrivals: 'poisson', events: [] } as const;
    const text = termText(mode);
    if (text === 'max' || text === '{rate,max}') return { ...step, loop: 'closed' };
    // There the rate is that of each worker.
    const [kind, each] = mode?.kind === 'tuple' ? mode.items : [];
    if (termText(kind) !== 'rate' || each?.kind !== 'number' || each.value <= 0) {
      throw this.#fault(`the mode ${text} has no counterpart`);
    }
    return { ...step, loop: 'open', rate: { value: each.value * clients, unit: '/s' } };
  }

  #values(): Record<string, ValueSpec> {
    const document = this.#tuple('unique');
    const size = document?.[0]?.kind === 'number' ? document[0].value : 8_000;
    return {
      value: bashoValue(this.#name, this.#setting('value_generator')),
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
    const params = this.#setting('http_raw_params');
    const hasParams = params !== undefined && !(params.kind === 'text' && params.text === '');
    if (hasParams) throw this.#fault('http_raw_params has no counterpart');
    const path = this.#text('http_raw_path');
    if (path !== undefined) return { ...this.#bucketIn(path), properties: {} };
    const given = this.#setting('riakc_pb_bucket') ?? this.#setting('riakclient_bucket');
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
    const list = this.#setting('operations');
    if (list?.kind !== 'list' || list.items.length === 0)
      throw this.#fault('operations is missing');
    return list.items.map((item) => {
      const [first, second, third] = item.kind === 'tuple' ? item.items : [];
      const label = first?.kind === 'atom' ? first.name : '';
      const op = termText(third === undefined ? first : second);
      const weight = third ?? second;
      const known = OPERATIONS[op.replace(/_http$|_pb$/, '')] ?? OPERATIONS[op];
      if (known === undefined || label === '' || !Object.hasOwn(keys, known.keys)) {
        throw this.#fault(`the operation ${op} has no counterpart`);
      }
      if (weight?.kind !== 'number' || !Number.isInteger(weight.value) || weight.value < 1) {
        const given = termText(weight);
        throw this.#fault(`the weight ${given} of ${label} is no whole number above 0`);
      }
      const postcodes = this.#number('postcode_indexcount') ?? 3;
      return {
        name: label,
        weight: weight.value,
        postcodes,
        ...known,
      };
    });
  }

  #setting(key: string): ErlangTerm | undefined {
    this.#read.add(key);
    return this.#settings.get(key);
  }

  #tuple(key: string): readonly ErlangTerm[] | undefined {
    const term = this.#setting(key);
    return term?.kind === 'tuple' ? term.items : undefined;
  }

  #number(key: string): number | undefined {
    const term = this.#setting(key);
    return term?.kind === 'number' ? term.value : undefined;
  }

  #text(key: string): string | undefined {
    const term = this.#setting(key);
    return term?.kind === 'text' ? term.text : undefined;
  }

  #atom(key: string): string | undefined {
    const term = this.#setting(key);
    return term?.kind === 'atom' ? term.name : undefined;
  }

  #fault(why: string): Fault {
    return new Fault('config', `${this.#name}: ${why}`);
  }
}

/** Told in another way, or by the command line. */
function isKnown(key: string): boolean {
  return QUORUMS.test(key) || OF_TARGET.test(key) || OF_RUN.has(key);
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
  insert: { op: 'insert', ...PLAIN },
  update: { op: 'update', ...PLAIN },
  update_existing: { op: 'update', ...PLAIN, not_found: 'error' },
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
