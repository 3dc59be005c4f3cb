/** What was admitted is remembered: for one epoch, for exactly these credentials, and not for ever. */

import t from 'tap';
import { RememberingGatekeeper } from '../../src/security/known-credentials.ts';
import type { Host } from '../../src/base/host.ts';
import type { Client, Credentials } from '../../src/security/gatekeeper.ts';

const ANN: Credentials = { user: 'ann', password: 'right', address: '10.0.0.1' };

function remembering(delayed: Promise<void> = Promise.resolve()) {
  const asked: Credentials[] = [];
  const counts = new Map<string, number>();
  const state = { epoch: 1 };
  const host = {
    random: { bytes: (size: number) => Buffer.alloc(size, 1) },
    metrics: { count: (name: string) => void counts.set(name, (counts.get(name) ?? 0) + 1) },
  } as unknown as Host;
  const inner = {
    isEnabled: () => true,
    authenticate: async (credentials: Credentials) => {
      asked.push(credentials);
      await delayed;
      return credentials.password === 'right';
    },
    denial: ({ user }: Client) => `denied: ${user}`,
  };
  const gatekeeper = new RememberingGatekeeper(host, inner, () => state.epoch);
  return { gatekeeper, asked, counts, state };
}

t.test('the same credentials are judged once in an epoch', async (t) => {
  const { gatekeeper, asked, counts, state } = remembering();
  t.equal(await gatekeeper.authenticate(ANN), true);
  t.equal(await gatekeeper.authenticate({ ...ANN }), true);
  t.equal(asked.length, 1);
  t.equal(counts.get('security_admissions_remembered_total'), 1);
  state.epoch = 2;
  t.equal(await gatekeeper.authenticate(ANN), true);
  t.equal(asked.length, 2, 'another state is asked again');
  t.equal(gatekeeper.isEnabled(), true);
  t.equal(gatekeeper.denial(ANN, 'riak_kv.get', undefined), 'denied: ann');
});

t.test('whatever differs is judged by itself, and refusals every time', async (t) => {
  const { gatekeeper, asked } = remembering();
  const others: readonly Credentials[] = [
    ANN,
    { ...ANN, user: 'an', password: 'right' },
    { ...ANN, address: '10.0.0.2' },
    { ...ANN, certificateName: 'ann' },
    { ...ANN, password: 'wrong' },
    { ...ANN, password: 'wrong' },
  ];
  for (const credentials of others) await gatekeeper.authenticate(credentials);
  t.equal(asked.length, others.length);
  t.equal(await gatekeeper.authenticate({ ...ANN, password: 'wrong' }), false);
});

t.test('what an older state admitted is not remembered in a newer one', async (t) => {
  let proceed = (): void => {};
  const delayed = new Promise<void>((resolve) => {
    proceed = resolve;
  });
  const { gatekeeper, asked, state } = remembering(delayed);
  const answer = gatekeeper.authenticate(ANN);
  state.epoch = 2;
  proceed();
  t.equal(await answer, true);
  await gatekeeper.authenticate(ANN);
  t.equal(asked.length, 2);
});

t.test('of too many the oldest is forgotten', async (t) => {
  const { gatekeeper, asked } = remembering();
  for (let port = 0; port <= 4_096; port += 1) {
    await gatekeeper.authenticate({ ...ANN, address: `${port}` });
  }
  await gatekeeper.authenticate({ ...ANN, address: '4096' });
  t.equal(asked.length, 4_097);
  await gatekeeper.authenticate({ ...ANN, address: '0' });
  t.equal(asked.length, 4_098);
});
