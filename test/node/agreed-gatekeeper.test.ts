/**
 * The gatekeeper lets in who can prove who they are, reads the newest state, and tells nobody why not.
 */

import { pbkdf2Sync } from 'node:crypto';
import t from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Host, Metrics } from '../../src/base/host.ts';
import type { Epoch } from '../../src/base/names.ts';
import { initialState } from '../../src/membership/initial-state.ts';
import { AgreedGatekeeper } from '../../src/node/agreed-gatekeeper.ts';
import { wireGatekeeper } from '../../src/node/gatekeeper-wiring.ts';
import { PasswordHasher, SALT_BYTES } from '../../src/security/password-hasher.ts';
import {
  ALL,
  NO_SECURITY,
  type SecurityState,
  type Source,
  type SourceMethod,
  type User,
} from '../../src/security/security-state.ts';
import { SystemRandom } from '../../src/telemetry/system-host.ts';
import { clusterOf } from '../membership/states.ts';

const SALT = Buffer.alloc(SALT_BYTES, 7);
const PASSWORD = 'sesame\u00e9' as ByteString;

function hashOf(password: string): string {
  return pbkdf2Sync(Buffer.from(password, 'latin1'), SALT, 65_536, 20, 'sha1').toString('hex');
}

function source(user: string, cidr: string, method: SourceMethod): Source {
  return { user: user as ByteString, cidr, method, options: new Map() };
}

function user(password?: string): User {
  const hash = password && { salt: SALT.toString('hex'), hash: hashOf(password) };
  return { groups: [], options: new Map(), password: hash || undefined };
}

class Counts implements Metrics {
  readonly counts = new Map<string, number>();
  mostUnderWay = 0;

  count(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  gauge(_name: string, value: number): void {
    this.mostUnderWay = Math.max(this.mostUnderWay, value);
  }

  observe(): void {}
}

const SECURITY: SecurityState = {
  ...NO_SECURITY,
  isEnabled: true,
  users: new Map([
    ['ann', user(PASSWORD)],
    ['bob', user()],
  ] as [ByteString, User][]),
  sources: [
    source(ALL, '10.0.0.0/8', 'password'),
    source(ALL, '127.0.0.1/32', 'trust'),
    source('bob', '11.0.0.0/8', 'certificate'),
  ],
  grants: [{ role: 'ann' as ByteString, target: undefined, permissions: ['riak_kv.get'] }],
};

t.test('each source asks for its own proof, and strangers have none', async (t) => {
  const metrics = new Counts();
  const gatekeeper = new AgreedGatekeeper(metrics, new PasswordHasher(metrics), () => SECURITY);
  const tried = (
    name: string,
    [address, password = '', certificateName]: [string, string?, string?],
  ): Promise<boolean> =>
    gatekeeper.authenticate({
      user: name,
      address,
      password,
      ...(certificateName === undefined ? {} : { certificateName }),
    });
  const outcomes = await Promise.all([
    tried('ann', ['10.0.0.1', PASSWORD]),
    tried('ann', ['::ffff:10.0.0.1', PASSWORD]),
    tried('ann', ['127.0.0.1', 'anything']),
    tried('bob', ['11.0.0.1', '', 'bob']),
    tried('ann', ['10.0.0.1', 'wrong']),
    tried('Ann', ['10.0.0.1', PASSWORD]),
    tried('ann', ['12.0.0.1', PASSWORD]),
    tried('bob', ['10.0.0.1', '']),
    tried('bob', ['11.0.0.1', '', 'ann']),
    tried('all', ['127.0.0.1', '']),
    tried('eve', ['127.0.0.1', '']),
    tried('ann', ['10.0.0.1', PASSWORD.repeat(1_000)]),
  ]);
  t.same(outcomes, [true, true, true, true, ...Array.from({ length: 8 }, () => false)]);
  t.equal(metrics.counts.get('security_refused_total'), 8);
  t.equal(metrics.mostUnderWay, 2, 'the pool’s other threads are left to the disk');
});

t.test('a change counts from the next question on', (t) => {
  let security = SECURITY;
  const metrics = new Counts();
  const gatekeeper = new AgreedGatekeeper(metrics, new PasswordHasher(metrics), () => security);
  const target = { type: 't' as ByteString, bucket: 'b' as ByteString };
  const denial = (user: string): string | undefined =>
    gatekeeper.denial({ user, address: '10.0.0.1' }, 'riak_kv.get', target);
  t.equal(denial('ann'), undefined);
  t.equal(denial('bob'), "Permission denied: User 'bob' does not have 'riak_kv.get' on t/b");
  security = { ...security, grants: [] };
  t.match(denial('ann'), /^Permission denied/);
  t.ok(gatekeeper.isEnabled());
  security = { ...security, isEnabled: false };
  t.notOk(gatekeeper.isEnabled());
  t.equal(denial('stranger'), undefined);
  t.equal(metrics.counts.get('security_denied_total'), 2);
  t.end();
});

t.test('who was admitted need not prove it again because something else was changed', async (t) => {
  let state = { ...initialState(clusterOf(1)).state, security: SECURITY };
  const metrics = new Counts();
  const host = { random: new SystemRandom(), metrics } as unknown as Host;
  const gatekeeper = wireGatekeeper(host, new PasswordHasher(metrics), () => state, undefined);
  const ann = { user: 'ann', address: '10.0.0.1', password: PASSWORD };
  const remembered = () => metrics.counts.get('security_admissions_remembered_total') ?? 0;
  t.equal(await gatekeeper.authenticate(ann), true);
  state = { ...state, epoch: 2 as Epoch };
  t.equal(await gatekeeper.authenticate(ann), true);
  t.equal(remembered(), 1);
  state = { ...state, epoch: 3 as Epoch, security: { ...SECURITY, sources: [] } };
  t.equal(await gatekeeper.authenticate(ann), false);
  t.equal(remembered(), 1);
});

t.test('when too many passwords are being checked the next is refused at once', async (t) => {
  const metrics = new Counts();
  const hasher = new PasswordHasher(metrics, { underWayMax: 1, waitingMax: 2 });
  const first = hasher.hash(PASSWORD, SALT);
  const waiting = [1, 2].map(() => hasher.matches('x', undefined));
  await t.rejects(hasher.matches('x', undefined), { code: 'overload' });
  await t.rejects(hasher.hash(PASSWORD, SALT), { code: 'overload' });
  t.equal(metrics.counts.get('security_hashes_refused_total'), 2);
  t.same(await first, { salt: SALT.toString('hex'), hash: hashOf(PASSWORD) });
  t.same(await Promise.all(waiting), [false, false]);
  t.equal(metrics.mostUnderWay, 1);
});
