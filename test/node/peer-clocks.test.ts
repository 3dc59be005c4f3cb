/** What round trips tell of the other nodes' clocks. */

import fc from 'fast-check';
import t from 'tap';
import type { NodeId } from '../../src/base/names.ts';
import { PeerClocks } from '../../src/node/peer-clocks.ts';

const A = 'a' as NodeId;

t.test('the offset is right to half of the quickest round trip, whichever way was slow', (t) => {
  const wayMs = fc.double({ min: 0.01, max: 3_000, noNaN: true });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(wayMs, wayMs), { minLength: 1, maxLength: 20 }),
      fc.double({ min: -1e7, max: 1e7, noNaN: true }),
      (rounds, offsetMs) => {
        const clocks = new PeerClocks();
        let nowMs = 1e9;
        for (const [thereMs, backMs] of rounds) {
          const theirWallMicros = (nowMs + thereMs + offsetMs) * 1_000;
          nowMs += thereMs + backMs;
          const round = { rttMs: thereMs + backMs, wallMicros: nowMs * 1_000, theirWallMicros };
          clocks.note(A, round);
        }
        const [reading] = clocks.readings();
        const quickest = Math.min(...rounds.slice(-8).map(([there, back]) => there + back));
        const error = Math.abs((reading?.offsetMs ?? NaN) - offsetMs);
        return reading?.uncertainMs === quickest / 2 && error <= quickest / 2 + 0.01;
      },
    ),
  );
  t.end();
});

t.test('a peer that tells no time has a round trip and no offset', (t) => {
  const clocks = new PeerClocks();
  for (const rttMs of [9, 2, 4]) {
    clocks.note(A, { rttMs, wallMicros: 0, theirWallMicros: undefined });
  }
  t.match(clocks.readings(), [{ node: A, rttMs: 4, offsetMs: undefined }]);
  clocks.note(A, { rttMs: 1_000, wallMicros: 0, theirWallMicros: 0 });
  t.match(clocks.readings(), [{ offsetMs: 500, uncertainMs: 500 }], 'upgraded');
  clocks.forget(A);
  t.same(clocks.readings(), []);
  t.end();
});

t.test('a clock that has been set is believed after eight rounds at the latest', (t) => {
  const clocks = new PeerClocks();
  clocks.note(A, { rttMs: 0.1, wallMicros: 0, theirWallMicros: 0 });
  for (let round = 0; round < 8; round += 1) {
    clocks.note(A, { rttMs: 2, wallMicros: 0, theirWallMicros: 7_000_000 });
  }
  t.match(clocks.readings(), [{ offsetMs: 7_001, rttMs: 2 }]);
  t.end();
});
