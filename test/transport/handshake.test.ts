/** Who is let in, who is not, and why. */

import fc from 'fast-check';
import t from 'tap';
import { isFault } from '../../src/base/fault.ts';
import type { Epoch, NodeId } from '../../src/base/names.ts';
import {
  helloToTuple,
  PROTOCOL_FROM,
  PROTOCOL_TO,
  refusalFor,
  refusalToTuple,
  tupleToOpening,
} from '../../src/transport/handshake.ts';
import type { Hello, HelloContext, Introduction } from '../../src/transport/handshake.ts';
import type { KnownPeer } from '../../src/transport/handshake.ts';
import { ANSWERER, ASKER, End } from './peer-pair.ts';

const own: Introduction = {
  clusterName: 'spine',
  node: ANSWERER,
  identity: 'aa',
  incarnation: 3,
  epoch: 7 as Epoch,
  release: '0.1.0',
};
const hello: Hello = {
  clusterName: 'spine',
  node: ASKER,
  identity: 'bb',
  incarnation: 5,
  epoch: 6 as Epoch,
  release: '0.2.0',
  protocolFrom: PROTOCOL_FROM,
  protocolTo: PROTOCOL_TO,
  dialled: ANSWERER,
};

function reason(changes: Partial<Hello>, context: Partial<HelloContext> = {}): string | undefined {
  const full: HelloContext = { own, isMember: true, known: undefined, ...context };
  return refusalFor({ ...hello, ...changes }, full)?.reason;
}

function known(identity: string, incarnation: number): KnownPeer {
  return { identity, incarnation, knownForMs: 10 };
}

t.test('a member of the cluster is let in, first or again', (t) => {
  t.equal(reason({}), undefined);
  t.equal(reason({}, { known: known('bb', 5) }), undefined);
  t.equal(reason({}, { known: known('bb', 4) }), undefined);
  t.equal(reason({}, { known: known('other', 4) }), undefined, 'a new disk');
  t.equal(reason({ protocolTo: PROTOCOL_TO + 5 }), undefined, 'a newer program that reads ours');
  t.end();
});

t.test('everybody else is refused, with a typed reason', (t) => {
  t.equal(reason({ protocolFrom: PROTOCOL_TO + 1, protocolTo: 99 }), 'protocol-version');
  t.equal(reason({ protocolFrom: 0, protocolTo: PROTOCOL_FROM - 1 }), 'protocol-version');
  t.equal(reason({ clusterName: 'other' }), 'other-cluster');
  t.equal(reason({ dialled: 'third@127.0.0.1' as NodeId }), 'wrong-node');
  t.equal(reason({ node: ANSWERER }), 'same-name');
  t.equal(reason({}, { isMember: false }), 'stranger');
  t.equal(reason({}, { known: known('bb', 6) }), 'old-incarnation');
  t.equal(reason({}, { known: known('cc', 5) }), 'old-incarnation', 'a twin');
  t.end();
});

t.test('introductions and refusals come back as they were written', (t) => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 1, maxLength: 255, unit: 'grapheme-ascii' }),
      fc.nat(),
      (name, number) => {
        const introduction = { ...own, identity: name, incarnation: number };
        const opening = tupleToOpening(helloToTuple(introduction, ASKER));
        t.same(opening, {
          kind: 'hello',
          hello: {
            ...introduction,
            dialled: ASKER,
            protocolFrom: PROTOCOL_FROM,
            protocolTo: PROTOCOL_TO,
          },
        });
      },
    ),
  );
  const refusal = { reason: 'stranger', text: 'who?' } as const;
  t.same(tupleToOpening(refusalToTuple(refusal)), { kind: 'refused', ...refusal });
  const remembered = { incarnation: 7, knownForMs: 90 };
  t.same(
    tupleToOpening(refusalToTuple({ ...refusal, remembered: { ...remembered, knownForMs: 90.5 } })),
    { kind: 'refused', ...refusal, remembered },
  );
  t.end();
});

t.test('the sentence of a refusal for a reason that only a later release has is kept', (t) => {
  const text = 'it is too early in the day';
  t.same(tupleToOpening(['refused', 'too-early', text]), {
    kind: 'refused',
    reason: 'unknown',
    text,
  });
  t.end();
});

t.test('fields that a later protocol adds are passed over', (t) => {
  const tuple = [...helloToTuple(own, ASKER), 'new', 1];
  t.match(tupleToOpening(tuple), { hello: { node: ANSWERER } });
  t.end();
});

t.test('anything else is a fault', (t) => {
  const good = helloToTuple(own, ASKER);
  const wrong: readonly unknown[] = [
    undefined,
    1,
    [],
    ['hello'],
    ['refused', 'because'],
    good.slice(0, -1),
    good.with(0, 'riak'),
    good.with(3, ''),
    good.with(4, 'x'.repeat(256)),
    good.with(7, -1),
    good.with(8, '1'),
  ];
  for (const tuple of wrong) {
    t.throws(() => tupleToOpening(tuple), { code: 'peer-malformed' });
  }
  fc.assert(
    fc.property(fc.array(fc.anything(), { maxLength: 12 }), (tuple) => {
      try {
        tupleToOpening(tuple);
        return true;
      } catch (error) {
        return isFault(error, 'peer-malformed');
      }
    }),
  );
  t.end();
});

t.test('who is outdated is told by whom, unless that is the same store', (t) => {
  const full = { own, isMember: true };
  t.same(refusalFor(hello, { ...full, known: known('cc', 9) })?.remembered, {
    incarnation: 9,
    knownForMs: 10,
  });
  t.equal(refusalFor(hello, { ...full, known: known('bb', 9) })?.remembered, undefined);
  t.end();
});

t.test('the gate tells for how long it has known an incarnation, however often it called', (t) => {
  const end = new End(ANSWERER, own);
  t.teardown(() => end.metrics.close());
  const begun = end.host.clock.monotonicMs();
  const later = { ...hello, identity: 'cc', incarnation: 9 };
  t.equal(end.gate.admit(later), undefined);
  while (end.host.clock.monotonicMs() < begun + 5);
  t.equal(end.gate.admit(later), undefined);
  t.ok((end.gate.admit(hello)?.remembered?.knownForMs ?? 0) >= 5);
  t.end();
});

t.test('the gate remembers incarnations, and logs one refusal a minute for a peer', (t) => {
  const end = new End(ANSWERER, { clusterName: 'spine' });
  t.teardown(() => end.metrics.close());
  const heard: number[] = [];
  end.gate.onAdmitted(({ incarnation }) => heard.push(incarnation));
  t.equal(end.gate.admit(hello), undefined);
  t.equal(end.gate.admit({ ...hello, incarnation: 6 }), undefined);
  for (let attempt = 0; attempt < 10; attempt += 1) {
    t.match(end.gate.admit(hello), { reason: 'old-incarnation' });
  }
  t.match(end.gate.admit({ ...hello, clusterName: 'x' }), { reason: 'other-cluster' });
  t.same(heard, [5, 6]);
  t.equal(end.counted('peer_links_refused'), 11);
  t.match(end.events('peer.refused'), [
    { peer: ASKER, refusal: 'old-incarnation', level: 'warn' },
    { peer: ASKER, refusal: 'other-cluster' },
  ]);
  t.equal(end.events('peer.refused').length, 2);
  t.end();
});
