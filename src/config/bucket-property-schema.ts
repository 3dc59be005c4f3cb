/**
 * The shape of bucket properties in configuration files.
 *
 * Names and values are Riak's own. Properties that are not Riak's are allowed, as over the wire, but
 * not ones that are a slip of the pen away from a known name: nobody means `alow_mult`.
 */

import type { SettingSchema } from './setting.ts';

const quorum: SettingSchema = {
  anyOf: [{ type: 'integer', minimum: 0, maximum: 1_024 }, { enum: ['one', 'quorum', 'all'] }],
};
const flag: SettingSchema = { type: 'boolean' };
const positive: SettingSchema = { type: 'integer', minimum: 1, maximum: 0x7fff_ffff };
const natural: SettingSchema = { type: 'integer', minimum: 0, maximum: 0x7fff_ffff };

export const BUCKET_PROPERTIES_SCHEMA: SettingSchema = {
  type: 'object',
  description: "Bucket properties under Riak's names; what is absent keeps Riak's default.",
  properties: {
    n_val: { type: 'integer', minimum: 1, maximum: 1_024 },
    allow_mult: flag,
    last_write_wins: flag,
    dvv_enabled: flag,
    r: quorum,
    w: quorum,
    dw: quorum,
    rw: quorum,
    pr: quorum,
    pw: quorum,
    node_confirms: { type: 'integer', minimum: 0, maximum: 1_024 },
    basic_quorum: flag,
    notfound_ok: flag,
    sync_on_write: { enum: ['backend', 'one', 'all'] },
    old_vclock: positive,
    young_vclock: natural,
    big_vclock: positive,
    small_vclock: positive,
    precommit: { type: 'array' },
    postcommit: { type: 'array' },
    chash_keyfun: { type: 'object' },
    linkfun: {},
    write_once: flag,
    consistent: flag,
    datatype: { enum: ['counter', 'set', 'gset', 'map', 'hll'] },
    hll_precision: { type: 'integer', minimum: 4, maximum: 16 },
    backend: { type: 'string' },
    search: flag,
    search_index: { type: 'string' },
    repl: {},
  },
  additionalProperties: true,
};

/** What `--bucket-types` reads: type name → its properties. */
export const BUCKET_TYPES_SCHEMA: SettingSchema = {
  type: 'object',
  description: 'Bucket types by name.',
  additionalProperties: true,
};
