/** Who is let in, who is not, and why. */

import fc from 'fast-check';
import t from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import { isFault } from '../../src/base/fault.ts';
import { lastStart, type Lineage, type Start } from '../../src/base/lineage.ts';
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
import type { KnownPeer, Refusal } from '../../src/transport/handshake.ts';
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

function start(incarnation: number): Start {
  return { incarnation, mark: `mark ${incarnation}` as ByteString };
}

/** The lineage of a store that began with the first of these starts. */
function lineage(first: number, ...starts: readonly number[]): Lineage {
  return { origin: start(first), starts: [first, ...starts].map(start) };
}

/** What one of these starts says of itself. */
function startsAs(of: Lineage): Hello {
  const { incarnation, mark } = lastStart(of);
  return { ...hello, incarnation, identity: mark, lineage: of, isVouching: false };
}

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

t.test('a copy of a disk that has begun again since is refused, however it counts', (t) => {
  const of = (known: Lineage): KnownPeer => {
    const { incarnation, mark } = lastStart(known);
    return { incarnation, identity: mark, origin: known.origin, knownForMs: 10 };
  };
  const refused = (known: Lineage, caller: Lineage, isKnownUp = false): Refusal | undefined => {
    return refusalFor(startsAs(caller), { own, isMember: true, known: of(known), isKnownUp });
  };
  const twin = (...starts: readonly Start[]): Lineage => ({ origin: start(1), starts });
  const other = { incarnation: 2, mark: 'other' as ByteString };
  t.equal(refused(lineage(1, 2), lineage(1, 2, 3)), undefined);
  t.equal(refused(lineage(1, 2), lineage(1, 2)), undefined);
  const once = refused(lineage(1, 2), twin(start(1), other));
  t.match(once, { reason: 'older-copy', remembered: { incarnation: 2, knownForMs: 10 } });
  t.match(refused(lineage(1, 2), twin(start(1), other, start(3))), { reason: 'older-copy' });
  t.match(refused(lineage(1, 2, 3), twin(start(1), other)), { reason: 'older-copy' });
  t.equal(
    refused(lineage(1, 2), twin(start(1), other), true)?.remembered,
    undefined,
    'it is there',
  );
  t.equal(refused(lineage(1, 2), lineage(4, 5)), undefined, 'a new disk');
  t.match(refused(lineage(4), lineage(1, 2, 5)), { reason: 'older-copy' }, 'the lost disk is back');
  t.match(refused(lineage(3, 4), lineage(2)), { reason: 'old-incarnation' }, 'its clock is behind');
  t.equal(refused(lineage(1, 2), twin(start(7), start(8))), undefined, 'nobody can tell');
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
  const full = startsAs(lineage(1, 2, 3));
  t.same(tupleToOpening(helloToTuple(full, ANSWERER)), { kind: 'hello', hello: full });
  t.match(tupleToOpening(helloToTuple(full, ANSWERER, true)), { hello: { isVouching: true } });
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
  const tuple = [...helloToTuple({ ...own, lineage: lineage(1, 2) }, ASKER), 'new', 1];
  t.match(tupleToOpening(tuple), { hello: { node: ANSWERER, lineage: lineage(1, 2) } });
  t.match(tupleToOpening(helloToTuple(own, ASKER)), { hello: { lineage: undefined } });
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
    [...good, 1],
    [...good, [[1, ''], []]],
    [...good, [[1, 'mark']]],
    [...good, [[1, 'mark'], []], 'yes'],
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

t.test('the gate vouches for who descends from what it knew, and for nobody else', (t) => {
  const end = new End(ANSWERER, { ...own });
  t.teardown(() => end.metrics.close());
  const vouches = (caller: Hello): boolean | undefined => {
    if (end.gate.admit(caller) !== undefined) return undefined;
    const opening = tupleToOpening(end.gate.answer(caller));
    return opening.kind === 'hello' && opening.hello.isVouching;
  };
  end.introduction = { ...own, lineage: lineage(1) };
  t.equal(vouches(startsAs(lineage(1, 2))), false, 'it knows nothing of it');
  t.equal(vouches(startsAs(lineage(1, 2, 3))), true);
  t.equal(vouches(startsAs(lineage(1, 2, 3))), true, 'as often as it is asked');
  t.equal(vouches(startsAs(lineage(1, 2))), undefined);
  t.equal(vouches(startsAs(lineage(8))), false, 'a new disk');
  t.end();
});

t.test('what was noted before this process is known for longer than any has run', (t) => {
  const recalled = { ...start(2), origin: start(1), isLast: true };
  const vouches = (isLast: boolean): boolean => {
    const end = new End(ANSWERER, { ...own });
    t.teardown(() => end.metrics.close());
    end.recall = () => ({ ...recalled, isLast });
    const older = end.gate.admit(startsAs({ origin: start(1), starts: [start(1), start(5)] }));
    t.equal(older?.reason, 'older-copy');
    t.ok((older?.remembered?.knownForMs ?? 0) > 1e15);
    const caller = startsAs(lineage(1, 2, 3));
    t.equal(end.gate.admit(caller), undefined);
    return end.gate.isVouchingFor(caller);
  };
  t.equal(vouches(true), true);
  t.equal(vouches(false), false, 'who may have forgotten a later start vouches for nobody');
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
