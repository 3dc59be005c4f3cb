/** Of listings and index queries so many run at once; the others wait for their turn, each for as long as it may. */

import t from 'tap';
import { CoverageAdmission, type CoverageWork } from '../../src/node/coverage-admission.ts';
import { VirtualHost } from '../replica/virtual-host.ts';

const TIMEOUT_MS = 1_000;

function world(coverageMax: number, coverageWaitingMax: number) {
  const host = new VirtualHost();
  const admission = new CoverageAdmission(host, { coverageMax, coverageWaitingMax });
  const opened: string[] = [];
  const ask = (name: string, work: CoverageWork = 'index_fsm') => {
    return admission.admit(work, TIMEOUT_MS, async function* () {
      opened.push(name);
      yield `${name} 1`;
      yield `${name} 2`;
    });
  };
  return { host, opened, ask };
}

t.test('past the limit a query waits until one has ended, in the order of arrival', async (t) => {
  const { host, opened, ask } = world(1, 2);
  const [first, second, third] = ['a', 'b', 'c'].map((name) => ask(name));
  if (first === undefined || second === undefined || third === undefined) throw new Error('three');
  t.throws(() => ask('d'), { code: 'overload' });
  t.equal(host.gauges.get('index_fsm_active'), 1);
  t.equal(host.gauges.get('coverage_waiting'), 2);
  t.equal(host.counters.get('coverage_waited'), 2);
  t.equal(host.counters.get('coverage_refused'), 1);

  const later = [third.next(), second.next()];
  t.same(await first.next(), { done: false, value: 'a 1' });
  t.same(opened, ['a']);
  await first.return?.();
  t.same(await later[1], { done: false, value: 'b 1' });
  t.same(opened, ['a', 'b']);
  t.same(await second.next(), { done: false, value: 'b 2' });
  t.same(await second.next(), { done: true, value: undefined });
  t.same(await later[0], { done: false, value: 'c 1' });
  t.equal(host.counters.get('index_fsm_create'), 3);
  await third.return?.();
  t.same([host.gauges.get('index_fsm_active'), host.gauges.get('coverage_waiting')], [0, 0]);
});

t.test('listings and index queries do not wait for each other', async (t) => {
  const { ask } = world(1, 1);
  const listing = ask('keys', 'list_fsm');
  t.match(await ask('terms').next(), { value: 'terms 1' });
  t.match(await listing.next(), { value: 'keys 1' });
});

t.test('a wait that takes too long ends with a time-out, and its place is free', async (t) => {
  const { host, opened, ask } = world(1, 1);
  const first = ask('a');
  const late = ask('late');
  const waited = t.rejects(late.next(), { code: 'timeout' });
  await host.advance(TIMEOUT_MS + 1);
  await waited;
  const next = ask('next').next();
  await late.return?.();
  await first.return?.();
  t.match(await next, { value: 'next 1' });
  t.same(opened, ['next']);
  t.equal(host.gauges.get('index_fsm_active'), 1);
});

t.test('a query that is given up while it waits lets the next one go before', async (t) => {
  const { host, opened, ask } = world(1, 2);
  const [first, second, third] = [ask('a'), ask('b'), ask('c')];
  const waiting = second.next();
  await second.return?.();
  t.same(await waiting, { done: true, value: undefined });
  await first.return?.();
  t.match(await third.next(), { value: 'c 1' });
  t.same(opened, ['c']);
  t.same([host.gauges.get('index_fsm_active'), host.gauges.get('coverage_waiting')], [1, 0]);
});

t.test('one whose turn has come and that nobody reads passes it on', async (t) => {
  const { host, opened, ask } = world(1, 2);
  const [first, second, third] = [ask('a'), ask('b'), ask('c')];
  await first.return?.();
  await second.return?.();
  t.match(await third.next(), { value: 'c 1' });
  t.same(opened, ['c']);
  t.equal(host.gauges.get('index_fsm_active'), 1);
});

t.test('a query that fails leaves its place', async (t) => {
  const host = new VirtualHost();
  const admission = new CoverageAdmission(host, { coverageMax: 1, coverageWaitingMax: 0 });
  // eslint-disable-next-line require-yield
  const failing = admission.admit('list_fsm', TIMEOUT_MS, async function* () {
    throw new Error('a bug');
  });
  await t.rejects(failing.next(), { message: 'a bug' });
  t.equal(host.gauges.get('list_fsm_active'), 0);
});
