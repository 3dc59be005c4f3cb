/**
 * A workload file as typed values, with every reference checked.
 *
 * Everything here is plain data, for it goes to the worker processes as it is.
 */

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { Fault } from '../../src/base/fault.ts';
import { checkDocument } from '../../src/config/document-check.ts';
import { findNearestName } from '../../src/config/nearest-name.ts';
import { parseDurationMs, parseSizeBytes } from '../../src/config/units.ts';
import { YamlDocument } from '../../src/config/yaml-document.ts';
import { findQueryFault } from './query-documents.ts';
import { findLateEvent, findUnknownShare } from './step-checks.ts';
import { BUCKET_SCHEMA, KEY_SET_SCHEMAS, OPERATION_SCHEMAS } from './schema.ts';
import { VALUE_SCHEMAS, WORKLOAD_SCHEMA } from './schema.ts';
import type { Problem } from '../../src/config/document-check.ts';
import type { SettingSchema } from '../../src/config/setting.ts';
import type { QueryDocument } from './query-documents.ts';
import type { ChooserName, FaultName, NameForm, QueryName, TermsName } from './schema.ts';

export interface BucketSpec {
  readonly type: string;
  readonly bucket: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

export type KeySetSpec =
  | {
      readonly kind: 'shared';
      readonly bucket: string;
      readonly count: number;
      readonly choose: ChooserName;
      readonly theta: number;
      readonly hot_share: number;
      readonly hot_use: number;
      readonly names: NameForm;
      readonly prefix: string;
      readonly digits: number;
      readonly first: number;
    }
  | {
      readonly kind: 'owned';
      readonly bucket: string;
      readonly most: number;
      readonly least: number;
      readonly order: KeyOrder;
    }
  | { readonly kind: 'queue'; readonly bucket: string; readonly order: KeyOrder };

export type KeyOrder = 'key_order' | 'skew_order';

export type ValueContent = 'random' | 'semi_compressible' | 'text';

export interface ValueSpec {
  readonly kind: 'fixed' | 'uniform' | 'exponential' | 'semi_compressible';
  readonly content: ValueContent;
  /** The size is `minBytes` + a rest: none, even up to `spanBytes`, or exponential. */
  readonly minBytes: number;
  readonly spanBytes: number;
  readonly largeFactor: number;
  readonly largeShare: number;
}

export interface OperationSpec {
  readonly name: string;
  readonly op:
    | 'get'
    | 'put'
    | 'insert'
    | 'update'
    | 'delete'
    | 'query'
    | 'query_api'
    | 'put_visible'
    | 'sweep';
  readonly keys: string;
  readonly weight: number;
  readonly value?: string;
  readonly terms?: TermsName;
  readonly postcodes?: number;
  readonly not_found?: 'fine' | 'error';
  readonly conditional?: boolean;
  /** Of `put_visible`: a time. */
  readonly within?: string;
  readonly query?: QueryName;
  readonly max_results?: number;
  /** Of `query_api`. */
  readonly request?: QueryDocument;
}

export interface FaultEvent {
  readonly atMs: number;
  readonly action: FaultName;
  /** From 1. */
  readonly node: number;
  readonly forMs: number;
  readonly command?: string;
  /** Bytes a second of a slow disk. */
  readonly diskRate?: number;
  /** Bytes of a disk that fills up. */
  readonly diskSize?: number;
}

/** A rate as it is written: so many a second, or a share of the best closed loop. */
export interface Rate {
  readonly value: number;
  readonly unit: '/s' | '%';
}

export interface StepSpec {
  readonly loop: 'closed' | 'open';
  readonly durationMs: number;
  readonly clients: number;
  readonly rate?: Rate;
  readonly to?: Rate;
  readonly steps: number;
  readonly arrivals: 'even' | 'poisson';
  readonly events: readonly FaultEvent[];
}

/** When a rate counts as steady, and how long that is waited for. */
export interface SteadySpec {
  readonly atMostMs: number;
  readonly windowMs: number;
  readonly windows: number;
  readonly within: number;
}

export interface Workload {
  readonly name: string;
  readonly about: string;
  readonly clients: number;
  readonly buckets: Readonly<Record<string, BucketSpec>>;
  readonly keys: Readonly<Record<string, KeySetSpec>>;
  readonly values: Readonly<Record<string, ValueSpec>>;
  readonly operations: readonly OperationSpec[];
  readonly load: { readonly fill: boolean; readonly clients: number };
  readonly settleMs: number;
  readonly warmUp: { readonly operations: number; readonly atMostMs: number };
  readonly steady: SteadySpec;
  readonly measure: readonly StepSpec[];
  readonly fault: StepSpec | undefined;
  readonly recover: StepSpec | undefined;
}

type Entry = Readonly<Record<string, string | number | boolean | undefined>>;
type Named = Readonly<Record<string, Entry>>;

/** The checked file with its defaults. */
export interface WorkloadDocument {
  readonly workload: string;
  readonly about?: string;
  readonly clients: number;
  readonly buckets: Named;
  readonly keys: Named;
  readonly values?: Named;
  readonly operations: Named;
  readonly load: { readonly fill: boolean; readonly clients: number };
  readonly settle: string;
  readonly warm_up: { readonly operations: number; readonly at_most: string };
  readonly steady: Entry;
  readonly measure: readonly Entry[];
  readonly fault?: Entry;
  readonly recover?: Entry;
}

/** Rejects with a `config` fault fit for an operator. */
export function readWorkloadFile(path: string): Workload {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new Fault('config', `${path} cannot be read`, { cause });
  }
  return parseWorkload(basename(path), text);
}

/** `name` is how messages call the text. */
export function parseWorkload(name: string, text: string): Workload {
  const yaml = new YamlDocument(name, text);
  const document = yaml.value() as WorkloadDocument;
  let problems = checkDocument(document, WORKLOAD_SCHEMA);
  if (problems.length === 0) problems = checkEntries(document);
  if (problems.length === 0) problems = checkReferences(document);
  if (problems.length > 0) throw yaml.fault(problems);
  const workload = toWorkload(document);
  const unknown = findUnknownShare(workload);
  if (unknown !== undefined) {
    const sentence = 'needs a closed loop before it, of which it is a share';
    throw yaml.fault([{ path: unknown.path, isAboutKey: false, sentence }]);
  }
  const late = findLateEvent(workload);
  if (late !== undefined) {
    const path = ['fault', 'events', late[0], 'at'];
    throw yaml.fault([{ path, isAboutKey: false, sentence: 'is not before the end of the phase' }]);
  }
  return workload;
}

function checkEntries(document: WorkloadDocument): Problem[] {
  const bucketSchemas = { bucket: BUCKET_SCHEMA };
  return [
    ...checkNamed('buckets', document.buckets, { schemas: bucketSchemas, by: undefined }),
    ...checkNamed('keys', document.keys, { schemas: KEY_SET_SCHEMAS, by: 'kind' }),
    ...checkNamed('values', document.values ?? {}, { schemas: VALUE_SCHEMAS, by: 'kind' }),
    ...checkNamed('operations', document.operations, { schemas: OPERATION_SCHEMAS, by: 'op' }),
  ];
}

function checkNamed(
  groupName: string,
  entries: Named,
  kinds: {
    readonly schemas: Readonly<Record<string, SettingSchema>>;
    readonly by?: string | undefined;
  },
): Problem[] {
  const problems: Problem[] = [];
  for (const [name, entry] of Object.entries(entries)) {
    const path = [groupName, name];
    const kind = kinds.by === undefined ? Object.keys(kinds.schemas)[0] : entry?.[kinds.by];
    const schema = kinds.schemas[String(kind)];
    if (schema === undefined) {
      const sentence = `must be one of ${Object.keys(kinds.schemas).join(', ')}${hint(String(kind), kinds.schemas)}`;
      problems.push({ path: [...path, kinds.by ?? ''], isAboutKey: false, sentence });
      continue;
    }
    const own = checkDocument(entry, schema);
    problems.push(...own.map((problem) => ({ ...problem, path: [...path, ...problem.path] })));
  }
  return problems;
}

function checkReferences(document: WorkloadDocument): Problem[] {
  const problems: Problem[] = [];
  const refer = (path: readonly string[], name: Entry[string], known: Named | undefined): void => {
    if (name === undefined || Object.hasOwn(known ?? {}, String(name))) return;
    const sentence = `names ${String(name)}, which there is not${hint(String(name), known ?? {})}`;
    problems.push({ path, isAboutKey: false, sentence });
  };
  for (const [name, set] of Object.entries(document.keys)) {
    refer(['keys', name, 'bucket'], set['bucket'], document.buckets);
  }
  for (const [name, operation] of Object.entries(document.operations)) {
    refer(['operations', name, 'keys'], operation['keys'], document.keys);
    refer(['operations', name, 'value'], operation['value'], document.values);
    const { request } = operation as { readonly request?: unknown };
    const fault = request === undefined ? undefined : findQueryFault(request as QueryDocument);
    if (fault !== undefined) {
      const path = ['operations', name, 'request'];
      problems.push({ path, isAboutKey: false, sentence: fault });
    }
  }
  for (const [name, { from, to }] of Object.entries(document.values ?? {})) {
    if (from === undefined || to === undefined) continue;
    if ((parseSizeBytes(String(to)) ?? 0) >= (parseSizeBytes(String(from)) ?? 0)) continue;
    const sentence = 'must not be less than from';
    problems.push({ path: ['values', name, 'to'], isAboutKey: false, sentence });
  }
  if (Object.keys(document.operations).length === 0) {
    problems.push({ path: ['operations'], isAboutKey: false, sentence: 'must not be empty' });
  }
  const steps: readonly (readonly [path: readonly (string | number)[], step: Entry | undefined])[] =
    [
      ...document.measure.map((step, index) => [['measure', index], step] as const),
      [['fault'], document.fault],
      [['recover'], document.recover],
    ];
  // One without keys would do nothing, unseen: reads are silent until a client owns enough.
  const hasOwned = Object.values(document.keys).some(({ kind }) => kind === 'owned');
  for (const [path, step] of steps) {
    if (step?.['loop'] === 'open' && step['rate'] === undefined) {
      const sentence = 'must be given for an open loop';
      problems.push({ path: [...path, 'rate'], isAboutKey: false, sentence });
    }
    if (hasOwned && Number(step?.['clients'] ?? 0) > document.clients) {
      const sentence = `must be at most the ${document.clients} clients that own keys from the load`;
      problems.push({ path: [...path, 'clients'], isAboutKey: false, sentence });
    }
  }
  return problems;
}

function hint(name: string, known: Readonly<Record<string, unknown>>): string {
  const nearest = findNearestName(name, Object.keys(known));
  return nearest === undefined ? '' : `; did you mean ${nearest}?`;
}

function toWorkload(document: WorkloadDocument): Workload {
  const { clients } = document;
  const step = (entry: Entry): StepSpec => toStep(entry, clients);
  return {
    name: document.workload,
    about: document.about ?? '',
    clients,
    buckets: document.buckets as unknown as Readonly<Record<string, BucketSpec>>,
    keys: document.keys as unknown as Readonly<Record<string, KeySetSpec>>,
    values: Object.fromEntries(
      Object.entries(document.values ?? {}).map(([name, entry]) => [name, toValue(entry)]),
    ),
    operations: Object.entries(document.operations).map(
      ([name, entry]) => ({ name, ...entry }) as unknown as OperationSpec,
    ),
    load: document.load,
    settleMs: milliseconds(document.settle),
    warmUp: {
      operations: document.warm_up.operations,
      atMostMs: milliseconds(document.warm_up.at_most),
    },
    steady: {
      atMostMs: milliseconds(document.steady['at_most']),
      windowMs: milliseconds(document.steady['window']),
      windows: Number(document.steady['windows']),
      within: Number(document.steady['within']),
    },
    measure: document.measure.map(step),
    fault: document.fault === undefined ? undefined : step(document.fault),
    recover: document.recover === undefined ? undefined : step(document.recover),
  };
}

function toValue(entry: Entry): ValueSpec {
  const bytesOf = (name: string): number => bytes(entry[name]);
  const kind = entry['kind'] as ValueSpec['kind'];
  const shape = { kind, largeFactor: 1, largeShare: 0, spanBytes: 0 };
  const content = (entry['content'] ?? 'semi_compressible') as ValueContent;
  switch (kind) {
    case 'fixed':
      return { ...shape, content, minBytes: bytesOf('size') };
    case 'uniform': {
      const minBytes = bytesOf('from');
      return { ...shape, content, minBytes, spanBytes: Math.max(0, bytesOf('to') - minBytes) };
    }
    case 'exponential':
      return { ...shape, content, minBytes: bytesOf('min'), spanBytes: bytesOf('mean') };
    case 'semi_compressible':
      return {
        kind,
        content,
        minBytes: bytesOf('min'),
        spanBytes: bytesOf('mean'),
        largeFactor: Number(entry['large_factor']),
        largeShare: Number(entry['large_share']),
      };
  }
}

function toStep(entry: Entry, clients: number): StepSpec {
  const { events = [] } = entry as unknown as { readonly events?: readonly Entry[] };
  return {
    loop: entry['loop'] as StepSpec['loop'],
    durationMs: milliseconds(entry['duration']),
    clients: Number(entry['clients'] ?? clients),
    ...(entry['rate'] === undefined ? {} : { rate: parseRate(String(entry['rate'])) }),
    ...(entry['to'] === undefined ? {} : { to: parseRate(String(entry['to'])) }),
    steps: Number(entry['steps']),
    arrivals: entry['arrivals'] as StepSpec['arrivals'],
    events: events.map((event) => ({
      atMs: milliseconds(event['at']),
      action: event['do'] as FaultEvent['action'],
      node: Number(event['node']),
      forMs: milliseconds(event['for']),
      diskRate: bytes(event['disk_rate']),
      diskSize: bytes(event['disk_size']),
      ...(event['command'] === undefined ? {} : { command: String(event['command']) }),
    })),
  };
}

/** Of a text that the schema has let through. */
export function parseRate(text: string): Rate {
  const unit = text.endsWith('%') ? '%' : '/s';
  return { value: Number(text.slice(0, -unit.length)), unit };
}

function milliseconds(text: Entry[string]): number {
  return parseDurationMs(String(text)) ?? 0;
}

function bytes(text: Entry[string]): number {
  return parseSizeBytes(String(text ?? '0B')) ?? 0;
}
