/** Handlers: what requests mean that the recorded exchanges do not show. */

import t from 'tap';
import type { Test } from 'tap';
import type { Actor } from '../../../src/clock/version-vector.ts';
import {
  RpbListBucketsReq,
  RpbListKeysReq,
} from '../../../src/api/pbc/messages/bucket-messages.ts';
import { RpbDelReq } from '../../../src/api/pbc/messages/delete-messages.ts';
import { RpbGetReq } from '../../../src/api/pbc/messages/get-messages.ts';
import {
  RpbCSBucketReq,
  RpbGetBucketKeyPreflistReq,
  RpbIndexReq,
} from '../../../src/api/pbc/messages/index-messages.ts';
import { RpbMapRedReq } from '../../../src/api/pbc/messages/map-reduce-messages.ts';
import { RpbPutReq } from '../../../src/api/pbc/messages/put-messages.ts';
import { RpbPingReq } from '../../../src/api/pbc/messages/server-messages.ts';
import {
  RpbGetBucketReq,
  RpbGetBucketTypeReq,
  RpbSetBucketReq,
} from '../../../src/api/pbc/messages/bucket-messages.ts';
import { Fault } from '../../../src/base/fault.ts';
import { EMPTY_VERSION_VECTOR } from '../../../src/clock/version-vector.ts';
import { BareClient, errorText, frame, name, serve } from './served.ts';
import type { ServeOptions } from './served.ts';
import type { NodeService } from '../../../src/node/node-service.ts';
import type { JobClass } from '../../../src/object/job-class.ts';
import type {
  MessageInput,
  Fields,
  MessageType,
} from '../../../src/api/pbc/messages/message-type.ts';

const GET = { bucket: name('b'), key: name('k') };
const CONTENT = { value: Buffer.from('v') };

interface Folded {
  readonly key: string;
  readonly object: { readonly content: readonly { readonly deleted?: boolean }[] };
}

async function connected(t: Test, options: ServeOptions = {}) {
  const { server, port, node } = await serve(options);
  t.teardown(() => server.close());
  const client = await BareClient.connect(port);
  const ask = <F extends Fields>(type: MessageType<F>, value: MessageInput<F>) =>
    client.ask(type, value);
  return { client, node, ask };
}

t.test('a context that is none ends the connection', async (t) => {
  const vclock = Buffer.from('rubbish');
  const { ask } = await connected(t);
  t.match(
    await ask(RpbGetReq, { ...GET, if_modified: vclock }),
    { name: 'RpbGetResp', value: { content: [] } },
    'but not where there is nothing to compare it with',
  );
  for (const request of [
    frame(RpbGetReq, { ...GET, if_modified: vclock }),
    frame(RpbPutReq, { ...GET, vclock, content: CONTENT }),
    frame(RpbDelReq, { ...GET, vclock }),
  ]) {
    const { client } = await connected(t);
    await client.ask(RpbPutReq, { ...GET, content: CONTENT });
    client.socket.write(request);
    t.match(errorText(await client.next()), /^Error processing incoming message: /);
    t.equal(await client.next(), 'closed');
  }
});

t.test('a time-out of 0 is over at once, but not for index queries', async (t) => {
  const { ask } = await connected(t);
  t.equal(errorText(await ask(RpbGetReq, { ...GET, timeout: 0 })), 'timeout');
  t.equal(errorText(await ask(RpbListKeysReq, { bucket: name('b'), timeout: 0 })), 'timeout');
  const query = { bucket: name('b'), index: name('a_bin'), qtype: 'eq', key: name('x') } as const;
  t.match(await ask(RpbIndexReq, { ...query, timeout: 0 }), { value: { keys: [] } });
  t.match(
    await ask(RpbGetReq, { ...GET, timeout: 0xffff_ffff }),
    { name: 'RpbGetResp' },
    'the longest is still one',
  );
});

t.test('empty names of types are names that no type has', async (t) => {
  const { ask } = await connected(t);
  const type = name('');
  t.equal(errorText(await ask(RpbDelReq, { ...GET, type })), 'no_type');
  t.equal(
    errorText(await ask(RpbListKeysReq, { bucket: name('b'), type })),
    "No bucket-type named ''",
  );
  t.equal(errorText(await ask(RpbGetBucketTypeReq, { type })), 'Invalid bucket type: <<>>');
  t.match(await ask(RpbDelReq, { bucket: name(''), key: name('') }), { name: 'RpbDelResp' });
});

t.test('an unknown type is told where Riak would not answer', async (t) => {
  const { ask } = await connected(t);
  const type = name('unknown');
  const text = "No bucket-type named 'unknown'";
  const query = { bucket: name('b'), index: name('a_bin'), qtype: 'eq', key: name('x') } as const;
  t.equal(errorText(await ask(RpbIndexReq, { ...query, type })), text);
  t.equal(errorText(await ask(RpbGetBucketKeyPreflistReq, { ...GET, type })), text);
  t.equal(
    errorText(await ask(RpbCSBucketReq, { bucket: name('b'), start_key: name(''), type })),
    text,
  );
  const indexes = [{ key: name('colour'), value: name('red') }];
  t.equal(
    errorText(await ask(RpbPutReq, { ...GET, type, content: { ...CONTENT, indexes } })),
    'no_type',
    'before its index entries are looked at',
  );
});

t.test('a put is refused for its index entries after all else', async (t) => {
  const { ask } = await connected(t);
  const indexes = [{ key: name('age_int'), value: name('abc') }];
  const put = (fields: Omit<Partial<MessageInput<typeof RpbPutReq.fields>>, 'content'>) =>
    ask(RpbPutReq, { ...GET, content: { ...CONTENT, indexes }, ...fields });
  t.equal(errorText(await put({ w: 4 })), '{n_val_violation,3}');
  t.equal(errorText(await put({ n_val: 4 })), '{n_val_violation,4}');
  t.equal(errorText(await put({ if_not_modified: true })), 'notfound');
  const refusal = '{precommit_fail,[{field_parsing_failed,{<<"age_int">>,<<"abc">>}}]}';
  t.equal(errorText(await put({})), refusal);
  t.equal(errorText(await put({ if_none_match: true })), refusal);
  await ask(RpbPutReq, { ...GET, content: CONTENT });
  t.equal(errorText(await put({ if_none_match: true })), 'match_found');
  t.equal(errorText(await put({ if_not_modified: true })), 'modified');
  t.match(await ask(RpbGetReq, GET), { value: { content: [{ value: CONTENT.value }] } });
});

t.test('a stream of matches or objects ends with its error inside `error`', async (t) => {
  for (const [code, text] of [
    ['timeout', 'timeout'],
    ['overload', 'overload'],
    ['peer-unreachable', 'insufficient_vnodes_available'],
  ] as const) {
    const around = (node: NodeService): NodeService =>
      Object.assign(node, { index: () => failing(new Fault(code, 'a test')) });
    const { ask } = await connected(t, { around });
    const query = { bucket: name('b'), index: name('a_bin'), qtype: 'eq', key: name('x') } as const;
    t.equal(errorText(await ask(RpbIndexReq, query)), text);
    t.equal(errorText(await ask(RpbIndexReq, { ...query, stream: true })), `{error,${text}}`);
    const fold = { bucket: name('b'), start_key: name('') };
    t.equal(errorText(await ask(RpbCSBucketReq, fold)), `{error,${text}}`);
  }
});

async function* failing(fault: Fault): AsyncIterableIterator<never> {
  await Promise.resolve();
  yield* [];
  throw fault;
}

t.test('each class of work that is switched off is refused, and no other', async (t) => {
  const query = { bucket: name('b'), index: name('a_bin'), qtype: 'eq', key: name('x') } as const;
  const job = { content_type: name('application/json') };
  const plain = Buffer.from('{"inputs":"b","query":[]}');
  const script = Buffer.from(
    '{"inputs":"b","query":[{"map":{"language":"javascript","name":"f"}}]}',
  );
  const requests: readonly (readonly [JobClass, Buffer])[] = [
    ['list_buckets', frame(RpbListBucketsReq, {})],
    ['stream_list_buckets', frame(RpbListBucketsReq, { stream: true })],
    // Lists of keys always come as a stream.
    ['stream_list_keys', frame(RpbListKeysReq, { bucket: name('b') })],
    ['secondary_index', frame(RpbIndexReq, query)],
    ['stream_secondary_index', frame(RpbIndexReq, { ...query, stream: true })],
    ['map_reduce_js', frame(RpbMapRedReq, { ...job, request: script })],
    ['map_reduce', frame(RpbMapRedReq, { ...job, request: plain })],
  ];
  for (const [disabled] of requests) {
    const { server, port } = await serve({ disabledJobs: new Set([disabled]) });
    t.teardown(() => server.close());
    for (const [job, request] of requests) {
      if (disabled === 'map_reduce' && job === 'map_reduce_js') continue;
      const client = await BareClient.connect(port);
      client.socket.write(request);
      const answer = await client.next();
      const text = answer !== 'closed' && answer.name === 'RpbErrorResp' ? errorText(answer) : '';
      t.equal(text === `Operation '{riak_kv,${job}}' is not enabled`, job === disabled, job);
      client.socket.destroy();
    }
  }
});

t.test(
  'a phase that cannot start is told by its number, or by its worker where others follow',
  async (t) => {
    const { ask } = await connected(t);
    const bad = { language: 'erlang', module: 'riak_kv_mapreduce', function: 'nothing' };
    const good = { ...bad, function: 'reduce_sort' };
    const told = async (...query: readonly object[]): Promise<string> => {
      const request = Buffer.from(JSON.stringify({ inputs: 'b', query }));
      const answer = await ask(RpbMapRedReq, { request, content_type: name('application/json') });
      return errorText(answer).split(' specifies ', 1)[0] ?? '';
    };
    t.equal(await told({ map: bad }), 'Phase 0: PhaseSpec');
    t.equal(await told({ reduce: good }, { reduce: { ...bad, keep: false } }), 'Phase 1: arg');
    t.equal(await told({ map: bad }, { reduce: good }), 'Phase {xform_map,0}: PhaseSpec');
    t.equal(await told({ reduce: bad }, { reduce: bad }), 'Phase {reduce,0}: arg');
  },
);

t.test('an answer of one message stays within its limit', async (t) => {
  const { ask } = await connected(t, { replySizeMaxBytes: 1000 });
  for (let index = 0; index < 40; index += 1) {
    const indexes = [{ key: name('a_bin'), value: name('x'.repeat(20)) }];
    await ask(RpbPutReq, {
      bucket: name(`bucket-${index}`),
      key: name('k'),
      content: { ...CONTENT, indexes },
    });
    await ask(RpbPutReq, {
      bucket: name('b'),
      key: name(`k${index}`),
      content: { ...CONTENT, indexes },
    });
  }
  t.equal(
    errorText(await ask(RpbListBucketsReq, {})),
    'Too many buckets for one message, ask for a stream',
  );
  const query = {
    bucket: name('b'),
    index: name('A_BIN'),
    qtype: 'range',
    range_min: name('a'),
    range_max: name('z'),
  } as const;
  t.match(errorText(await ask(RpbIndexReq, query)), /^Too many results for one message/);
  t.match(await ask(RpbIndexReq, { ...query, max_results: 2 }), { value: { keys: ['k0', 'k1'] } });
});

t.test('pages of a query with an expression are full of what matches', async (t) => {
  const { ask } = await connected(t);
  for (const term of ['aa', 'ab', 'ba', 'bb', 'ca', 'da']) {
    const indexes = [{ key: name('t_bin'), value: name(term) }];
    await ask(RpbPutReq, {
      bucket: name('b'),
      key: name(`k-${term}`),
      content: { ...CONTENT, indexes },
    });
  }
  const query = {
    bucket: name('b'),
    index: name('t_bin'),
    qtype: 'range',
    range_min: name('a'),
    range_max: name('z'),
    term_regex: name('a$'),
    max_results: 2,
  } as const;
  const first = await ask(RpbIndexReq, query);
  t.match(first, { value: { keys: ['k-aa', 'k-ba'] } });
  const continuation = first.value['continuation'] as Buffer;
  const second = await ask(RpbIndexReq, { ...query, continuation });
  t.match(second, { value: { keys: ['k-ca', 'k-da'] } });
  const third = await ask(RpbIndexReq, {
    ...query,
    continuation: second.value['continuation'] as Buffer,
  });
  t.match(third, { value: { keys: [], continuation: undefined } });
});

t.test('an expression from outside costs no more than its length', async (t) => {
  const { ask } = await connected(t);
  const indexes = [{ key: name('t_bin'), value: name(`${'a'.repeat(5000)}!`) }];
  await ask(RpbPutReq, { ...GET, content: { ...CONTENT, indexes } });
  const query = {
    bucket: name('b'),
    index: name('t_bin'),
    qtype: 'range',
    range_min: name('a'),
    range_max: name('z'),
  } as const;
  const startMs = performance.now();
  await ask(RpbIndexReq, { ...query, term_regex: name('^(a+)+$') });
  t.ok(performance.now() - startMs < 5000, 'no back-tracking');
  const refused = async (regex: string) =>
    errorText(await ask(RpbIndexReq, { ...query, term_regex: name(regex) }));
  t.match(
    await refused('(a{400})(b{400})(c{400})'),
    /^Invalid term regular expression .*counted repetitions/,
  );
  t.match(await refused('a'.repeat(2000)), /^Invalid term regular expression .*longer than/);
  t.match(await refused('(?=a)'), /^Invalid term regular expression /);
  t.match(await refused('(a)\\1'), /^Invalid term regular expression /);
});

t.test('what is stored as deleted keeps the value that came with it', async (t) => {
  const { ask } = await connected(t);
  const deleted = { ...CONTENT, deleted: true };
  t.match(await ask(RpbPutReq, { ...GET, content: deleted, return_body: true }), {
    value: { content: [deleted] },
  });
  t.match(await ask(RpbGetReq, GET), { name: 'RpbGetResp', value: { content: [] } });
  const bucket = name('s');
  await ask(RpbSetBucketReq, { bucket, props: { allow_mult: true } });
  await ask(RpbPutReq, { ...GET, bucket, content: deleted });
  await ask(RpbPutReq, { ...GET, bucket, content: CONTENT });
  t.match(await ask(RpbGetReq, { ...GET, bucket }), {
    value: { content: [deleted, { ...CONTENT, deleted: undefined }] },
  });
});

t.test('a fold over objects honours its ends and shows what is deleted', async (t) => {
  const { client, ask } = await connected(t);
  for (const key of ['a', 'b', 'c', 'd', 'e']) {
    await ask(RpbPutReq, { bucket: name('b'), key: name(key), content: CONTENT });
  }
  await ask(RpbDelReq, { bucket: name('b'), key: name('c') });
  const fold = async (value: MessageInput<typeof RpbCSBucketReq.fields>) => {
    client.send(RpbCSBucketReq, value);
    const keys: unknown[] = [];
    for (;;) {
      const reply = await client.next();
      if (reply === 'closed' || reply.name !== 'RpbCSBucketResp') return errorText(reply);
      for (const { key, object } of reply.value['objects'] as Folded[]) {
        keys.push(object.content[0]?.deleted === true ? `(${key})` : key);
      }
      if (reply.value['done'] === true) return keys.join('');
    }
  };
  const bucket = name('b');
  t.equal(await fold({ bucket, start_key: name('') }), 'ab(c)de', 'to the end of the bucket');
  t.equal(await fold({ bucket, start_key: name('a'), end_key: name('d') }), 'ab(c)');
  t.equal(
    await fold({
      bucket,
      start_key: name('a'),
      end_key: name('d'),
      start_incl: false,
      end_incl: true,
    }),
    'b(c)d',
  );
  t.equal(await fold({ bucket, start_key: name('a'), max_results: 0 }), '');
  t.equal(await fold({ bucket, start_key: name('a'), max_results: 3 }), 'ab(c)');
  t.equal(
    await fold({ bucket, start_key: name('b'), start_incl: false, max_results: 2 }),
    '(c)d',
    'an end that is left out does not count',
  );
  t.equal(
    await fold({ bucket, start_key: name('a'), continuation: Buffer.from('x') }),
    'Invalid continuation',
  );
});

t.test('a quorum that no bucket can meet is kept, and refused when it is asked for', async (t) => {
  const { ask } = await connected(t);
  const props = { r: 0xffff_ffff };
  t.equal(errorText(await ask(RpbSetBucketReq, { bucket: name('b'), props })), 'RpbSetBucketResp');
  t.match(await ask(RpbGetBucketReq, { bucket: name('b') }), { value: { props } });
  t.equal(errorText(await ask(RpbGetReq, GET)), '{n_val_violation,3}');
});

t.test('hooks that name nothing are passed over', async (t) => {
  const { ask } = await connected(t);
  const modfun = { module: name('m'), function: name('f') };
  const precommit = [{}, { modfun, name: name('n') }, { name: name('n') }];
  const props = { precommit, has_precommit: true };
  await ask(RpbSetBucketReq, { bucket: name('b'), props });
  const shown = await ask(RpbGetBucketReq, { bucket: name('b') });
  const { precommit: kept } = shown.value['props'] as { precommit: unknown[] };
  t.match(kept, [{ modfun }, { name: 'n' }]);
  t.equal(kept.length, 2);
});

t.test('a bucket is shown whatever its functions are called', async (t) => {
  const { ask, node } = await connected(t);
  const bucket = name('b');
  const functions = [
    { mod: 'm', fun: null },
    { mod: 5, fun: 'f' },
    { mod: 'm', fun: ['f'] },
  ];
  for (const linkfun of functions) {
    const precommit = [{ mod: 'm', fun: 'f', name: 5 }];
    // Over HTTP such values can be set.
    await node.setBucketProperties(name('default'), bucket, { linkfun, precommit });
    const shown = await ask(RpbGetBucketReq, { bucket });
    const props = shown.value['props'] as Record<string, unknown>;
    t.equal(props['linkfun'], undefined);
    t.match(props['precommit'], [{ modfun: { module: 'm', function: 'f' } }]);
  }
});

t.test('several wrong properties are named in Riak’s order', async (t) => {
  const { ask } = await connected(t);
  const props = { n_val: 0, r: 0, old_vclock: 0, write_once: true };
  t.equal(
    errorText(await ask(RpbSetBucketReq, { bucket: name('b'), props })),
    'Invalid bucket properties: [{r,not_valid_quorum},' +
      '{write_once,"cannot update write_once property"},' +
      '{old_vclock,not_integer},{n_val,not_integer}]',
  );
});

t.test('a quorum of a bucket cannot be the default of itself', async (t) => {
  const { ask } = await connected(t);
  const props = { r: 0xffff_fffb };
  t.equal(
    errorText(await ask(RpbSetBucketReq, { bucket: name('b'), props })),
    'Invalid bucket properties: [{r,not_valid_quorum}]',
  );
});

t.test('a frame of a known code with a body it cannot have is passed over', async (t) => {
  const { client } = await connected(t);
  client.socket.write(Buffer.from('0000000301ffff', 'hex'));
  t.match(await client.next(), { name: 'RpbPingResp' });
  t.match(await client.ask(RpbPingReq, {}), { name: 'RpbPingResp' });
});

t.test('an answer sent as a request is an unknown code', async (t) => {
  const { client } = await connected(t);
  client.socket.write(Buffer.from('0000000102', 'hex'));
  t.equal(errorText(await client.next()), 'Unknown message code: 2');
});

t.test('an object that is too large for one message is refused, its head is not', async (t) => {
  const sibling = {
    dot: { actor: 'a' as Actor, counter: 1 },
    lastModifiedMicros: 0,
    vtag: 'v',
    metadata: {},
    isTombstone: false,
    valueSizeBytes: 300_000_000,
    value: Buffer.alloc(0),
  };
  const object = { context: EMPTY_VERSION_VECTOR, siblings: [sibling, sibling] };
  const { client, node } = await connected(t);
  node.get = async () => ({ kind: 'found', object });
  t.equal(errorText(await client.ask(RpbGetReq, GET)), '{too_large,600000000}');
  t.match(await client.ask(RpbGetReq, { ...GET, head: true }), {
    value: { content: [{ vtag: 'v' }, { vtag: 'v' }] },
  });
});
