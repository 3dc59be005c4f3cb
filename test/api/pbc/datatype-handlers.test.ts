/** Data types: how requests reach the node, and what the protocol cannot say. */

import t from 'tap';
import type { Test } from 'tap';
import {
  DtFetchReq,
  DtUpdateReq,
  RpbCounterGetReq,
  RpbCounterUpdateReq,
} from '../../../src/api/pbc/messages/datatype-messages.ts';
import { BareClient, errorText, frame, name, serve } from './served.ts';
import type {
  FetchDatatypeOutcome,
  UpdateDatatypeOutcome,
  UpdateDatatypeRequest,
} from '../../../src/object/datatype-requests.ts';

const AT = { bucket: name('b'), key: name('k'), type: name('maps') };
const FIELD = { name: name('f'), type: 'COUNTER' } as const;
const TOO_LARGE = '"a counter does not fit into 64 bits"';

interface Outcomes {
  readonly fetched?: FetchDatatypeOutcome;
  readonly updated?: UpdateDatatypeOutcome;
}

/** A server whose node answers every request about data types alike, and keeps the updates. */
async function connected(t: Test, { fetched, updated }: Outcomes = {}) {
  const updates: UpdateDatatypeRequest[] = [];
  const { server, port, bugs } = await serve({
    around: (node) =>
      Object.assign(node, {
        fetchDatatype: () => Promise.resolve(fetched ?? { kind: 'timeout' }),
        updateDatatype: (request: UpdateDatatypeRequest) => {
          updates.push(request);
          return Promise.resolve(updated ?? { kind: 'updated', shown: undefined });
        },
      }),
  });
  t.teardown(() => server.close());
  return { client: await BareClient.connect(port), updates, bugs };
}

t.test('an operation that is none, or does not fit its field, ends the connection', async (t) => {
  const setOp = { adds: [name('a')] };
  const inner = {
    field: { name: name('m'), type: 'MAP' as const },
    map_op: { updates: [{ field: FIELD }] },
  };
  for (const op of [
    {},
    { map_op: { updates: [{ field: FIELD }] } },
    { map_op: { updates: [{ field: FIELD, set_op: setOp }] } },
    { map_op: { updates: [inner] } },
  ]) {
    const { client, updates } = await connected(t);
    client.socket.write(frame(DtUpdateReq, { ...AT, op }));
    t.match(errorText(await client.next()), /^Error processing incoming message: /);
    t.equal(await client.next(), 'closed');
    t.same(updates, []);
  }
});

t.test('what the bucket type refuses is told before an operation that is none', async (t) => {
  const { client, updates } = await connected(t);
  const refusal = async (type: string) =>
    errorText(await client.ask(DtUpdateReq, { ...AT, type: name(type), op: {} }));
  t.equal(await refusal('nope'), 'Error no bucket type `<<"nope">>`');
  t.equal(await refusal('lww'), '"Bucket must be allow_mult=true"');
  t.match(await refusal('siblings'), /^Error processing incoming message: /);
  t.same(updates, []);
});

t.test('of several operations the first in the order of the protocol counts', async (t) => {
  const { client, updates } = await connected(t);
  const adds = [name('a')];
  await client.ask(DtUpdateReq, { ...AT, op: { gset_op: { adds }, hll_op: { adds } } });
  await client.ask(DtUpdateReq, { ...AT, op: { hll_op: { adds }, counter_op: {} } });
  const counter_op = { increment: 2n };
  const updatesOfMap = [{ field: FIELD, counter_op, set_op: { adds } }];
  await client.ask(DtUpdateReq, { ...AT, op: { map_op: { updates: updatesOfMap } } });
  t.same(
    updates.map(({ operation }) => operation),
    [
      { kind: 'hll', adds },
      { kind: 'counter', increment: 1n },
      {
        kind: 'map',
        removes: [],
        updates: [
          {
            field: { name: 'f', kind: 'counter' },
            operation: { kind: 'counter', increment: 2n },
          },
        ],
      },
    ],
  );
});

t.test('a context that is none is an error, and nothing is changed', async (t) => {
  const { client, updates } = await connected(t);
  const context = Buffer.from('rubbish');
  const request = { ...AT, context, op: { set_op: { removes: [name('a')] } } };
  const refusal = async (changes: object) =>
    errorText(await client.ask(DtUpdateReq, { ...request, ...changes }));
  t.equal(await refusal({ type: name('sets') }), 'timeout');
  // What is no update of the bucket's data type is told first.
  t.equal(await refusal({}), 'Operation type is `set` but  bucket type is `map`.');
  t.equal(await refusal({ type: name('nope') }), 'Error no bucket type `<<"nope">>`');
  t.equal(await refusal({ type: name('lww') }), '"Bucket must be allow_mult=true"');
  t.equal(
    await refusal({ type: name('siblings') }),
    'Bucket datatype `undefined` is not a supported type',
  );
  t.same(updates, []);
  // The counters of Riak 1.4 have no contexts.
  t.equal(await refusal({ type: name('default'), op: { counter_op: {} } }), 'DtUpdateResp');
  t.equal(updates[0]?.context, undefined);
});

t.test('the ends of 64 bits are said, and what is beyond them is an error', async (t) => {
  for (const value of [2n ** 63n - 1n, -(2n ** 63n)]) {
    const shown = { value: { kind: 'counter', value }, context: undefined } as const;
    const { client } = await connected(t, {
      fetched: { kind: 'found', shown },
      updated: { kind: 'updated', shown },
    });
    t.match(await client.ask(RpbCounterGetReq, AT), { value: { value } });
    const op = { counter_op: {} };
    t.match(await client.ask(DtUpdateReq, { ...AT, op }), { value: { counter_value: value } });
  }
  for (const value of [2n ** 63n, -(2n ** 63n) - 1n]) {
    const counter = { kind: 'counter', value } as const;
    const field = { name: name('f'), kind: 'counter' } as const;
    const map = { kind: 'map', fields: [{ field, value: counter }] } as const;
    const { client, bugs } = await connected(t, {
      fetched: { kind: 'found', shown: { value: map, context: new Map() } },
      updated: { kind: 'updated', shown: { value: counter, context: undefined } },
    });
    t.equal(errorText(await client.ask(DtFetchReq, AT)), TOO_LARGE);
    const update = { ...AT, amount: 1n, returnvalue: true };
    t.equal(errorText(await client.ask(RpbCounterUpdateReq, update)), TOO_LARGE);
    t.same(bugs, []);
  }
});
