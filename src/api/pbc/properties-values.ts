/**
 * Bucket properties as RpbBucketProps and back.
 *
 * Only what Riak's message has a field for travels. Hooks are taken only where the `has_` field
 * beside them is set, and always shown with it; those that name nothing are passed over. What a value
 * may be is for the node to say.
 */

import { byteStringToUtf8, utf8ToByteString } from '../../base/bytes.ts';
import { numberToQuorum, quorumToNumber } from './request-values.ts';
import type {
  BucketProperties,
  CommitHook,
  ModuleFunction,
  PartialProperties,
  PropertyValue,
  Quorum,
} from '../../object/bucket-properties.ts';
import type { RpbBucketProps, RpbCommitHook, RpbModFun } from './messages/bucket-messages.ts';
import type { InputOf, MessageOf } from './messages/message-type.ts';

/** In the order in which Riak reads them, which shows in what it refuses. */
const SAME_NAMES = [
  'n_val',
  'old_vclock',
  'young_vclock',
  'big_vclock',
  'small_vclock',
  'hll_precision',
  'allow_mult',
  'last_write_wins',
  'basic_quorum',
  'notfound_ok',
  'search',
  'consistent',
  'write_once',
] as const;

const QUORUMS = ['pr', 'r', 'w', 'pw', 'dw', 'rw'] as const;
const TEXTS = ['backend', 'search_index', 'datatype'] as const;

const REPL_BY_MODE = { FALSE: false, REALTIME: 'realtime', FULLSYNC: 'fullsync', TRUE: true };

/** The changes a client asks for. Their values are not checked: `default` is no quorum, but here. */
export function messageToChanges(message: MessageOf<typeof RpbBucketProps>): PartialProperties {
  const changes: Record<string, PropertyValue> = {};
  for (const name of SAME_NAMES) {
    const value = message[name];
    if (value !== undefined) changes[name] = value;
  }
  for (const name of QUORUMS) {
    const value = message[name];
    if (value !== undefined) changes[name] = numberToQuorum(value) ?? 'default';
  }
  for (const name of TEXTS) {
    const value = message[name];
    if (value !== undefined) changes[name] = byteStringToUtf8(value);
  }
  if (message.has_precommit === true) changes['precommit'] = message.precommit.flatMap(toHooks);
  if (message.has_postcommit === true) changes['postcommit'] = message.postcommit.flatMap(toHooks);
  if (message.chash_keyfun !== undefined)
    changes['chash_keyfun'] = toFunction(message.chash_keyfun);
  if (message.linkfun !== undefined) changes['linkfun'] = toFunction(message.linkfun);
  if (message.repl !== undefined) changes['repl'] = REPL_BY_MODE[message.repl];
  return changes;
}

/** `showsWriteOnce`: untyped buckets show it always, others only where it is set. */
export function propertiesToMessage(
  properties: BucketProperties,
  showsWriteOnce: boolean,
): InputOf<typeof RpbBucketProps> {
  const message = changesToMessage(properties);
  return showsWriteOnce || properties.write_once ? message : { ...message, write_once: undefined };
}

/** Properties that have no field there are left out. */
export function changesToMessage(changes: PartialProperties): InputOf<typeof RpbBucketProps> {
  const { precommit, postcommit, linkfun } = changes;
  return {
    n_val: changes.n_val,
    allow_mult: changes.allow_mult,
    last_write_wins: changes.last_write_wins,
    precommit: precommit?.map(fromHook),
    has_precommit: precommit === undefined ? undefined : true,
    postcommit: postcommit?.map(fromHook),
    has_postcommit: postcommit === undefined ? undefined : true,
    chash_keyfun: functionField(changes.chash_keyfun),
    linkfun: functionField(linkfun),
    old_vclock: changes.old_vclock,
    young_vclock: changes.young_vclock,
    big_vclock: changes.big_vclock,
    small_vclock: changes.small_vclock,
    pr: quorumField(changes.pr),
    r: quorumField(changes.r),
    w: quorumField(changes.w),
    pw: quorumField(changes.pw),
    dw: quorumField(changes.dw),
    rw: quorumField(changes.rw),
    basic_quorum: changes.basic_quorum,
    notfound_ok: changes.notfound_ok,
    backend: textField(changes['backend']),
    search: typeof changes['search'] === 'boolean' ? changes['search'] : undefined,
    repl: replMode(changes['repl']),
    search_index: textField(changes['search_index']),
    datatype: textField(changes.datatype),
    consistent: changes.consistent,
    write_once: changes.write_once,
    hll_precision: changes.hll_precision,
  };
}

function quorumField(quorum: Quorum | undefined): number | undefined {
  return quorum === undefined ? undefined : quorumToNumber(quorum);
}

function functionField(value: PropertyValue | undefined): InputOf<typeof RpbModFun> | undefined {
  return value !== undefined && isFunction(value) ? fromFunction(value) : undefined;
}

function textField(value: PropertyValue | undefined) {
  return typeof value === 'string' ? utf8ToByteString(value) : undefined;
}

function replMode(value: PropertyValue | undefined) {
  const modes = Object.keys(REPL_BY_MODE) as (keyof typeof REPL_BY_MODE)[];
  return modes.find((mode) => REPL_BY_MODE[mode] === value);
}

function toFunction({ module, function: fun }: MessageOf<typeof RpbModFun>): ModuleFunction {
  return { mod: byteStringToUtf8(module), fun: byteStringToUtf8(fun) };
}

function fromFunction({ mod, fun }: ModuleFunction): InputOf<typeof RpbModFun> {
  return { module: utf8ToByteString(mod), function: utf8ToByteString(fun) };
}

/** None where nothing is named. */
function toHooks({ modfun, name }: MessageOf<typeof RpbCommitHook>): readonly CommitHook[] {
  if (modfun !== undefined) return [toFunction(modfun)];
  return name === undefined ? [] : [{ name: byteStringToUtf8(name) }];
}

function fromHook(hook: CommitHook): InputOf<typeof RpbCommitHook> {
  // A function may have a member of that name, which can be anything.
  return 'name' in hook && typeof hook.name === 'string'
    ? { name: utf8ToByteString(hook.name) }
    : { modfun: fromFunction(hook as ModuleFunction) };
}

function isFunction(value: PropertyValue): value is ModuleFunction {
  if (typeof value !== 'object' || value === null || !('mod' in value && 'fun' in value)) {
    return false;
  }
  return typeof value.mod === 'string' && typeof value.fun === 'string';
}
