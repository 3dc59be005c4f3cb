/**
 * Bucket properties: how a bucket's objects are replicated and shown.
 *
 * The effective properties of a bucket are its own over its type's over the defaults. Names are
 * Riak's own, as they appear on the wire. Source: Riak KV's documentation on bucket properties.
 */

/** A count of replicas: a number, or a word that is read against n_val. */
export type Quorum = number | 'one' | 'quorum' | 'all';

export interface ModuleFunction {
  readonly mod: string;
  readonly fun: string;
}

/** A commit hook: a module's function, or a named one. */
export type CommitHook = ModuleFunction | { readonly name: string };

export interface BucketProperties {
  readonly n_val: number;
  readonly allow_mult: boolean;
  readonly last_write_wins: boolean;
  readonly dvv_enabled: boolean;
  readonly r: Quorum;
  readonly w: Quorum;
  readonly dw: Quorum;
  readonly rw: Quorum;
  readonly pr: Quorum;
  readonly pw: Quorum;
  readonly node_confirms: Quorum;
  readonly basic_quorum: boolean;
  readonly notfound_ok: boolean;
  readonly sync_on_write: 'backend' | 'one' | 'all';
  readonly old_vclock: number;
  readonly young_vclock: number;
  readonly big_vclock: number;
  readonly small_vclock: number;
  readonly precommit: readonly CommitHook[];
  readonly postcommit: readonly CommitHook[];
  readonly chash_keyfun: ModuleFunction;
  readonly linkfun: ModuleFunction | PropertyValue;
  readonly write_once: boolean;
  readonly consistent?: boolean;
  readonly datatype?: 'counter' | 'set' | 'gset' | 'map' | 'hll';
  readonly hll_precision?: number;
  /** Properties that are known or unknown to Riak but mean nothing here: kept and shown. */
  readonly [name: string]: PropertyValue | undefined;
}

/** What a property may hold: any JSON value. */
export type PropertyValue =
  | string
  | number
  | boolean
  | null
  | ModuleFunction
  | CommitHook
  | readonly PropertyValue[]
  | readonly CommitHook[]
  | { readonly [name: string]: PropertyValue };

/** The properties someone set; the rest comes from the level below. */
export type PartialProperties = Partial<BucketProperties>;

const SHARED_DEFAULTS = {
  n_val: 3,
  last_write_wins: false,
  r: 'quorum',
  w: 'quorum',
  dw: 'quorum',
  rw: 'quorum',
  pr: 0,
  pw: 0,
  node_confirms: 0,
  basic_quorum: false,
  notfound_ok: true,
  sync_on_write: 'backend',
  old_vclock: 86_400,
  young_vclock: 20,
  big_vclock: 50,
  small_vclock: 50,
  precommit: [],
  postcommit: [],
  chash_keyfun: { mod: 'riak_core_util', fun: 'chash_std_keyfun' },
  linkfun: { mod: 'riak_kv_wm_link_walker', fun: 'mapreduce_linkfun' },
  write_once: false,
} as const;

export const DEFAULT_HLL_PRECISION = 14;

/** What an untyped bucket starts from. */
export const DEFAULT_TYPE_PROPERTIES: BucketProperties = {
  ...SHARED_DEFAULTS,
  allow_mult: false,
  dvv_enabled: false,
};

/** What a created bucket type starts from. */
export const CREATED_TYPE_PROPERTIES: BucketProperties = {
  ...SHARED_DEFAULTS,
  allow_mult: true,
  dvv_enabled: true,
};

/**
 * The properties a bucket acts on: its own over its type's over the base, which is
 * `DEFAULT_TYPE_PROPERTIES` or `CREATED_TYPE_PROPERTIES`. Layers come lowest first.
 */
export function effectiveProperties(
  base: BucketProperties,
  ...layers: readonly (PartialProperties | undefined)[]
): BucketProperties {
  return Object.assign({}, base, ...layers);
}

/** How many replicas `quorum` means where there are `n`. */
export function resolveQuorum(quorum: Quorum, n: number): number {
  switch (quorum) {
    case 'one':
      return 1;
    case 'quorum':
      return Math.floor(n / 2) + 1;
    case 'all':
      return n;
    default:
      return quorum;
  }
}

/**
 * Whether concurrent values are shown side by side. Elsewhere one value is shown, and a write
 * supersedes all that its coordinator knows.
 */
export function keepsSiblings(properties: PartialProperties): boolean {
  const { allow_mult = false, last_write_wins = false, write_once = false } = properties;
  return allow_mult && !last_write_wins && !write_once;
}
