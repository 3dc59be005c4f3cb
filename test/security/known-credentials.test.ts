/** What was admitted is remembered: until security changes, for exactly these credentials, and not for ever. */

import t from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import { Fault } from '../../src/base/fault.ts';
import { RememberingGatekeeper } from '../../src/security/known-credentials.ts';
import type { Host } from '../../src/base/host.ts';
import type { Client, Credentials } from '../../src/security/gatekeeper.ts';
import { PasswordHasher, SALT_BYTES } from '../../src/security/password-hasher.ts';

const ANN: Credentials = { user: 'ann', password: 'right', address: '10.0.0.1' };

function remembering(
  judge = ({ password }: Credentials): Promise<boolean> => Promise.resolve(password === 'right'),
) {
  const asked: Credentials[] = [];
  const counts = new Map<string, number>();
  const state = { security: 1 };
  const host = {
    random: { bytes: (size: number) => Buffer.alloc(size, 1) },
    metrics: { count: (name: string) => void counts.set(name, (counts.get(name) ?? 0) + 1) },
  } as unknown as Host;
  const inner = {
    isEnabled: () => true,
    authenticate: (credentials: Credentials) => {
      asked.push(credentials);
      return judge(credentials);
    },
    denial: ({ user }: Client) => `denied: ${user}`,
  };
  const gatekeeper = new RememberingGatekeeper(host, inner, () => state.security);
  return { gatekeeper, asked, counts, state };
}

t.test('the same credentials are judged once until security changes', async (t) => {
  const { gatekeeper, asked, counts, state } = remembering();
  t.equal(await gatekeeper.authenticate(ANN), true);
  t.equal(await gatekeeper.authenticate({ ...ANN }), true);
  t.equal(asked.length, 1);
  t.equal(counts.get('security_admissions_remembered_total'), 1);
  state.security = 2;
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

t.test('what was admitted by older security is not remembered by newer', async (t) => {
  let proceed = (_isAdmitted: boolean): void => {};
  const delayed = new Promise<boolean>((resolve) => {
    proceed = resolve;
  });
  const { gatekeeper, asked, state } = remembering(() => delayed);
  const answer = gatekeeper.authenticate(ANN);
  state.security = 2;
  proceed(true);
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

t.test('all who come at once with the same credentials are judged as one', async (t) => {
  const counts = new Map<string, number>();
  const metrics = {
    count: (name: string) => void counts.set(name, (counts.get(name) ?? 0) + 1),
    gauge() {},
    observe() {},
  };
  const host = { random: { bytes: (size: number) => Buffer.alloc(size, 1) }, metrics };
  const passwords = new PasswordHasher(metrics);
  const right = await passwords.hash(utf8ToByteString('right'), Buffer.alloc(SALT_BYTES));
  const state = { security: 1 };
  const inner = {
    isEnabled: () => true,
    authenticate: ({ password }: Credentials) => passwords.matches(password, right),
    denial: () => undefined,
  };
  const gatekeeper = new RememberingGatekeeper(
    host as unknown as Host,
    inner,
    () => state.security,
  );
  const all = (credentials: Credentials): Promise<readonly unknown[]> => {
    const asked = Array.from({ length: 500 }, () => gatekeeper.authenticate(credentials));
    return Promise.all(asked.map((answer) => answer.catch((error: unknown) => String(error))));
  };
  // More than may wait for their turn: a change has them all come at once.
  for (state.security of [1, 2]) t.strictSame([...new Set(await all(ANN))], [true]);
  t.strictSame([...new Set(await all({ ...ANN, password: 'wrong' }))], [false]);
  t.equal(counts.get('security_hashes_refused_total'), undefined);
  t.equal(counts.get('security_admissions_remembered_total'), 2 * 499);
});

t.test('who comes after a change is not judged with those of before', async (t) => {
  const answers: ((isAdmitted: boolean) => void)[] = [];
  const { gatekeeper, state } = remembering(
    () => new Promise<boolean>((resolve) => answers.push(resolve)),
  );
  const before = [gatekeeper.authenticate(ANN), gatekeeper.authenticate(ANN)];
  state.security = 2;
  const after = [gatekeeper.authenticate(ANN), gatekeeper.authenticate(ANN)];
  t.equal(answers.length, 2);
  answers[1]?.(false);
  t.same(await Promise.all(after), [false, false]);
  // The first ones end later, and nobody may go on with their answer.
  answers[0]?.(true);
  t.same(await Promise.all(before), [true, true]);
  const last = gatekeeper.authenticate(ANN);
  t.equal(answers.length, 3);
  answers[2]?.(false);
  t.equal(await last, false);
});

t.test('a judgement that fails is made anew', async (t) => {
  let isFull = true;
  const { gatekeeper, asked } = remembering(() => {
    return isFull ? Promise.reject(new Fault('overload', 'too many')) : Promise.resolve(true);
  });
  const both = [gatekeeper.authenticate(ANN), gatekeeper.authenticate(ANN)];
  for (const answer of both) await t.rejects(answer, { code: 'overload' });
  t.equal(asked.length, 1);
  isFull = false;
  t.equal(await gatekeeper.authenticate(ANN), true);
});
