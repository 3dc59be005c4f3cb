/** Liveness: hysteresis both ways, round trips only, and no blame for one's own pauses. */

import fc from 'fast-check';
import t from 'tap';
import { Liveness, type Evidence } from '../../src/membership/liveness.ts';
import { nodeOf } from './states.ts';

const [ME, B, C] = [nodeOf(0), nodeOf(1), nodeOf(2)];

/** A judge that has reached B and C at time 0. */
function reached(): Liveness {
  const liveness = new Liveness(ME);
  liveness.setMembers([ME, B, C], 0);
  liveness.observe(B, 'round-trip', 0);
  liveness.observe(C, 'round-trip', 0);
  return liveness;
}

/** Ticks every heartbeat up to `untilMs`, with C answering. */
function heartbeats(liveness: Liveness, fromMs: number, untilMs: number): void {
  for (let nowMs = fromMs; nowMs <= untilMs; nowMs += 1_000) {
    liveness.observe(C, 'round-trip', nowMs);
    liveness.tick(nowMs);
  }
}

t.test('a member is down until it is first reached, and then up at once', (t) => {
  const liveness = new Liveness(ME);
  liveness.setMembers([ME, B], 0);
  t.ok(liveness.isUp(ME));
  t.notOk(liveness.isUp(B));
  t.same(liveness.observe(B, 'ping-received', 10), [], 'a ping shows one direction only');
  t.same(liveness.observe(B, 'round-trip', 20), [{ node: B, isUp: true }]);
  t.ok(liveness.isUp(B));
  t.same(liveness.liveNodes(), [ME, B]);
  t.equal(liveness.version, 1);
  t.end();
});

t.test('three heartbeats of silence make a node down', (t) => {
  const liveness = reached();
  heartbeats(liveness, 1_000, 2_000);
  t.ok(liveness.isUp(B));
  liveness.observe(C, 'round-trip', 3_000);
  t.same(liveness.tick(3_000), [{ node: B, isUp: false }]);
  t.ok(liveness.isUp(C));
  t.end();
});

t.test('pings from a node that never answers do not keep it up', (t) => {
  const liveness = reached();
  for (let nowMs = 500; nowMs <= 3_000; nowMs += 500) {
    liveness.observe(B, 'ping-received', nowMs);
    liveness.tick(nowMs);
  }
  t.notOk(liveness.isUp(B));
  for (let nowMs = 3_500; nowMs <= 9_000; nowMs += 500) {
    liveness.observe(B, 'ping-received', nowMs);
  }
  t.notOk(liveness.isUp(B), 'nor bring it back');
  t.end();
});

t.test('three failed requests in a row make a node down, a reply between them does not', (t) => {
  const liveness = reached();
  liveness.observe(B, 'request-failed', 100);
  liveness.observe(B, 'request-failed', 200);
  liveness.observe(B, 'round-trip', 300);
  liveness.observe(B, 'request-failed', 400);
  liveness.observe(B, 'request-failed', 500);
  t.ok(liveness.isUp(B));
  t.same(liveness.observe(B, 'request-failed', 600), [{ node: B, isUp: false }]);
  t.end();
});

t.test('a lost link makes a node down at once, and it takes two good signs to return', (t) => {
  const liveness = reached();
  t.same(liveness.observe(B, 'link-lost', 100), [{ node: B, isUp: false }]);
  t.same(liveness.observe(B, 'link-lost', 110), []);
  t.same(liveness.observe(B, 'round-trip', 200), []);
  t.same(liveness.observe(B, 'link-lost', 210), [], 'a bad sign starts the count anew');
  t.same(liveness.observe(B, 'round-trip', 300), []);
  t.same(liveness.observe(B, 'ping-received', 310), [{ node: B, isUp: true }]);
  t.end();
});

t.test('a node that was itself stopped blames nobody', (t) => {
  const liveness = reached();
  heartbeats(liveness, 1_000, 2_000);
  const resumedMs = 600_000;
  t.same(liveness.observe(B, 'request-failed', resumedMs), [], 'timers that fire late');
  t.same(liveness.observe(B, 'link-lost', resumedMs + 1), []);
  t.same(liveness.tick(resumedMs + 2), []);
  t.ok(liveness.isUp(B));
  t.ok(liveness.isUp(C));
  t.equal(liveness.pauseCount, 1);
  heartbeats(liveness, resumedMs + 1_000, resumedMs + 3_000);
  t.notOk(liveness.isUp(B), 'silence after that counts again');
  t.ok(liveness.isUp(C));
  t.end();
});

t.test('strangers leave no trace and members that left are forgotten', (t) => {
  const liveness = reached();
  const stranger = nodeOf(9);
  liveness.observe(stranger, 'round-trip', 1);
  t.notOk(liveness.isUp(stranger));
  t.same(liveness.setMembers([ME, B], 2), [{ node: C, isUp: false }]);
  liveness.observe(C, 'round-trip', 3);
  t.notOk(liveness.isUp(C));
  t.same(liveness.setMembers([B], 4), []);
  t.ok(liveness.isUp(ME));
  t.end();
});

t.test('the changes told are the changes there are', (t) => {
  const evidence = fc.constantFrom<Evidence>(
    'round-trip',
    'ping-received',
    'request-failed',
    'link-lost',
  );
  const event = fc.record({ node: fc.constantFrom(B, C), evidence, afterMs: fc.nat(5_000) });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 80 }), (events) => {
      const liveness = reached();
      const up = new Map([
        [B, true],
        [C, true],
      ]);
      let nowMs = 0;
      let told = liveness.version;
      for (const { node, evidence, afterMs } of events) {
        nowMs += afterMs;
        const changes = [...liveness.observe(node, evidence, nowMs), ...liveness.tick(nowMs)];
        told += changes.length;
        for (const change of changes) up.set(change.node, change.isUp);
        for (const [each, isUp] of up) t.equal(liveness.isUp(each), isUp);
      }
      return told === liveness.version;
    }),
    { numRuns: 50 },
  );
  t.end();
});
