/**
 * Every setting of a workload file: its name, bounds, default and meaning.
 *
 * A workload names buckets, sets of keys, kinds of values and weighted operations, and says what is
 * done with them in which phases. Entries of the four named groups are checked one by one by their
 * `kind` or `op`, so that each error names just what that kind has.
 */

import { choice, count, decimal, duration, section, size, text } from '../../src/config/setting.ts';
import type { SettingSchema } from '../../src/config/setting.ts';

const NAME_MAX = 100;

/** Names are chosen by the file's author; what they name is checked on its own. */
function named(description: string): SettingSchema {
  return { type: 'object', description, additionalProperties: true };
}

function group(properties: Readonly<Record<string, SettingSchema>>, required: string[] = []) {
  return { type: 'object', properties, required, additionalProperties: false } as const;
}

const reference = (what: string): SettingSchema =>
  text(`Name of ${what}.`, { maxLength: NAME_MAX });

export const BUCKET_SCHEMA = group(
  {
    type: text('Bucket type; it must exist.', { default: 'default' }),
    bucket: text('The bucket.'),
    properties: { type: 'object', default: {}, description: 'Set on the bucket before the load.' },
  },
  ['bucket'],
);

const order = choice(['key_order', 'skew_order'], 'Counters as they are, or hashed by phash2.');

const CHOOSERS = [
  'uniform',
  'zipfian',
  'latest',
  'hot_spot',
  'eighty_twenty',
  'pareto',
  'truncated_pareto',
  'sequential',
] as const;
export type ChooserName = (typeof CHOOSERS)[number];

const NAMES = [
  'decimal',
  'nhs_number',
  'big_endian_32',
  'little_endian_32',
  'text',
  'padded',
] as const;
export type NameForm = (typeof NAMES)[number];

export const KEY_SET_SCHEMAS: Readonly<Record<string, SettingSchema>> = {
  shared: group(
    {
      kind: text('`shared`: one set for all clients.'),
      bucket: reference('a bucket'),
      count: count({ from: 1, to: 1_000_000_000 }, 'Keys that the load phase writes.'),
      choose: choice(CHOOSERS, 'Which of them an operation takes.'),
      theta: decimal({ from: 0.01, to: 0.999, default: 0.99 }, 'Skew of `zipfian` and `latest`.'),
      hot_share: decimal({ from: 0, to: 1, default: 0.2 }, 'Share of the keys that are hot.'),
      hot_use: decimal({ from: 0, to: 1, default: 0.8 }, 'Share of the operations on hot keys.'),
      names: choice(NAMES, 'How a number becomes a key.'),
      prefix: text('Before a `decimal` or `padded` number.', { minLength: 0, default: 'user' }),
      digits: count({ from: 0, to: 30, default: 0 }, 'Of a `padded` number at least, with zeros.'),
      first: count({ from: 0, to: 1_000_000_000, default: 0 }, 'The first number.'),
    },
    ['kind', 'bucket', 'count'],
  ),
  owned: group(
    {
      kind: text('`owned`: each client has keys of its own, which it adds as it goes.'),
      bucket: reference('a bucket'),
      most: count({ from: 1, to: 100_000_000 }, 'Keys of one client in the end.'),
      least: count({ from: 0, to: 100_000_000 }, 'Reads are silent until a client has more.'),
      order,
    },
    ['kind', 'bucket', 'most', 'least'],
  ),
  queue: group(
    {
      kind: text('`queue`: each client adds keys at one end and deletes them at the other.'),
      bucket: reference('a bucket'),
      order,
    },
    ['kind', 'bucket'],
  ),
};

const byteSize = (description: string): SettingSchema =>
  size({ from: '0B', to: '1GiB' }, description);
const content = choice(['random', 'semi_compressible', 'text'], 'What the bytes are like.');

export const VALUE_SCHEMAS: Readonly<Record<string, SettingSchema>> = {
  fixed: group({ kind: text('`fixed`: one size.'), size: byteSize('The size.'), content }, [
    'kind',
    'size',
  ]),
  uniform: group(
    { kind: text('`uniform`'), from: byteSize('Least.'), to: byteSize('Most.'), content },
    ['kind', 'from', 'to'],
  ),
  exponential: group(
    {
      kind: text('`exponential`: a least size and an exponential rest.'),
      min: byteSize('Least.'),
      mean: byteSize('Mean of the rest.'),
      content,
    },
    ['kind', 'min', 'mean'],
  ),
  semi_compressible: group(
    {
      kind: text('`semi_compressible`: as basho_bench has it.'),
      min: byteSize('Least.'),
      mean: byteSize('Mean of the rest.'),
      large_factor: count({ from: 1, to: 1_000, default: 1 }, 'How much larger the large are.'),
      large_share: decimal({ from: 0, to: 1, default: 0 }, 'Share of the large.'),
    },
    ['kind', 'min', 'mean'],
  ),
};

const weight = count({ from: 1, to: 1_000_000, default: 1 }, 'Its share among the operations.');
const keys = reference('a set of keys');
const value = reference('a kind of value');
const notFound = choice(['fine', 'error'], 'What it is that a key is not found.');
const TERMS = [
  'none',
  'spine_record',
  'spine_document',
  'pds_record',
  'eps_record',
  'message',
] as const;
export type TermsName = (typeof TERMS)[number];
const terms = choice(TERMS, 'The index terms of what is written.');
const postcodes = count({ from: 1, to: 100, default: 3 }, 'Postcode terms of a record at most.');
const op = text('What it does.');

const QUERIES = [
  'postcode',
  'date_of_birth',
  'people_finder',
  'worklist',
  'next_activity',
  'state',
  'key_range',
] as const;
export type QueryName = (typeof QUERIES)[number];

const query = choice(QUERIES, 'Which terms it asks for.');
const maxResults = count({ from: 0, to: 1_000_000, default: 0 }, 'Results at most; 0: all.');

export const OPERATION_SCHEMAS: Readonly<Record<string, SettingSchema>> = {
  get: group({ op, keys, weight, not_found: notFound }, ['op', 'keys']),
  put: group({ op, keys, value, weight, terms, postcodes }, ['op', 'keys', 'value']),
  insert: group({ op, keys, value, weight, terms, postcodes }, ['op', 'keys', 'value']),
  update: group(
    {
      op,
      keys,
      value,
      weight,
      terms,
      postcodes,
      not_found: notFound,
      conditional: choice([false, true], 'Store only if nobody has written in between.'),
    },
    ['op', 'keys', 'value'],
  ),
  delete: group({ op, keys, weight }, ['op', 'keys']),
  query: group({ op, keys, weight, query, max_results: maxResults }, ['op', 'keys', 'query']),
  query_api: group(
    {
      op,
      keys,
      weight,
      request: {
        type: 'object',
        description: "What is posted to the keys' bucket; names in braces are drawn.",
        additionalProperties: true,
      },
    },
    ['op', 'keys', 'request'],
  ),
  put_visible: group(
    {
      op,
      keys,
      value,
      weight,
      terms,
      postcodes,
      within: duration(
        { from: '1ms', to: '1h', default: '10s' },
        'After which what another node still does not show is an error.',
      ),
    },
    ['op', 'keys', 'value'],
  ),
  sweep: group({ op, keys, weight, query, max_results: maxResults }, ['op', 'keys', 'query']),
};

const rate = text('Operations a second in all, or a share of the best closed loop.', {
  title: '2000/s or 60%',
  pattern: '^\\d{1,9}(\\.\\d{1,3})?(/s|%)$',
});
const clients = count({ from: 1, to: 65_000 }, 'Clients; the default is that of the workload.');

const STEP = {
  loop: choice(['closed', 'open'], 'Each client at once again, or by a clock.'),
  duration: duration({ from: '1s', to: '30d', default: '30s' }, 'How long.'),
  clients,
  rate,
  to: { ...rate, description: 'The rate at the end, for a ramp or steps.' },
  steps: count({ from: 1, to: 1_000, default: 1 }, '1: a ramp to the last rate; else so many.'),
  arrivals: choice(['even', 'poisson'], 'Evenly spaced, or by chance.'),
};

const FAULTS = [
  'kill',
  'pause',
  'leave',
  'command',
  'cut',
  'join',
  'partition',
  'full_disk',
  'slow_disk',
] as const;
export type FaultName = (typeof FAULTS)[number];

const event: SettingSchema = group(
  {
    at: duration({ from: '0s', to: '30d' }, 'After the start of the phase.'),
    do: choice(
      FAULTS,
      'SIGKILL, SIGSTOP, handing over all it owns and going, a command of the shell, no link between two sites, ' +
        'one more node, no link to the other nodes, no room on its disk, or a disk of `disk_rate`.',
    ),
    node: count({ from: 1, to: 1_000, default: 1 }, 'Which node, from 1.'),
    for: duration({ from: '0s', to: '30d', default: '10s' }, 'Until it is started again.'),
    command: text('For `command`.'),
    disk_rate: size(
      { from: '1KiB', to: '10GiB', default: '256KiB' },
      'What a slow disk takes in a second.',
    ),
    disk_size: size(
      { from: '64MiB', to: '1024GiB', default: '512MiB' },
      'Of the file system in memory that is to fill up.',
    ),
  },
  ['at'],
);

export const WORKLOAD_SCHEMA: SettingSchema = {
  type: 'object',
  properties: {
    workload: text('Its name.', { maxLength: NAME_MAX }),
    about: text('What it stands for, and where its figures come from.', { maxLength: 10_000 }),
    clients: { ...clients, default: 32 },
    buckets: named('Buckets by name.'),
    keys: named('Sets of keys by name.'),
    values: named('Kinds of values by name.'),
    operations: named('Operations by name.'),
    load: section('Writing the first keys.', {
      fill: choice([true, false], 'Whether it is done.'),
      clients: { ...clients, default: 64 },
    }),
    settle: duration({ from: '0s', to: '1d', default: '1s' }, 'Rest between load and warm-up.'),
    warm_up: section('What is done before anything counts.', {
      operations: count(
        { from: 0, to: 1_000_000_000, default: 10_000 },
        "Operations; V8's compiler spoils the first ten thousand.",
      ),
      at_most: duration({ from: '0s', to: '1d', default: '30s' }, 'Longest.'),
    }),
    steady: section('A rate that has come to rest, which is waited for after the warm-up.', {
      at_most: duration({ from: '0s', to: '1d', default: '20s' }, 'Longest; 0s: not at all.'),
      window: duration({ from: '100ms', to: '1h', default: '1s' }, 'Over which a rate is taken.'),
      windows: count({ from: 2, to: 1_000, default: 5 }, 'The last so many are compared.'),
      within: decimal({ from: 0.001, to: 1, default: 0.1 }, 'Share by which they may differ.'),
    }),
    measure: {
      type: 'array',
      description: 'What is measured, one after the other.',
      items: group(STEP),
      minItems: 1,
      maxItems: 100,
      default: [{ loop: 'closed' }, { loop: 'open', rate: '60%' }],
    },
    fault: group({
      ...STEP,
      events: { type: 'array', items: event, default: [], maxItems: 1_000 },
    }),
    recover: group(STEP),
  },
  required: ['workload', 'buckets', 'keys', 'operations'],
  additionalProperties: false,
};
