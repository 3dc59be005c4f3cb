/** Long lists of what folds found: whole, and with turns of the event loop for others in between. */

import t from 'tap';
import { utf8ToByteString } from '../../../src/base/bytes.ts';
import { amountsAnswer, contextsAnswer } from '../../../src/api/http/fold-json.ts';
import type { Answer } from '../../../src/api/http/answer.ts';
import type { Clock } from '../../../src/base/host.ts';

/** Time passes as soon as somebody waits for it. */
class TurningClock implements Clock {
  turns = 0;

  wallMicros(): number {
    return 0;
  }

  monotonicMs(): number {
    return this.turns;
  }

  after(_delayMs: number, run: () => void): () => void {
    this.turns += 1;
    queueMicrotask(run);
    return () => {};
  }
}

async function textOf({ body }: Answer): Promise<string> {
  if (typeof body === 'string') return body;
  let text = '';
  for await (const piece of body as AsyncIterable<string>) text += piece;
  return text;
}

const COUNT = 50_000;
const NAMES = Array.from({ length: COUNT }, (_, at) => utf8ToByteString(`key-${at}`));
const TYPE = utf8ToByteString('indexed');
const BUCKET = utf8ToByteString('people');

t.test('a list of amounts', async (t) => {
  const clock = new TurningClock();
  const text = await textOf(
    await amountsAnswer(
      NAMES.map((name, at) => [name, at] as const),
      clock,
    ),
  );
  const { results } = JSON.parse(text) as { results: { key: string; value: number }[] };
  t.equal(results.length, COUNT);
  t.same(results.at(-1), { key: 'key-49999', value: 49_999 });
  t.ok(clock.turns >= 20, `${clock.turns} turns`);
});

t.test('a list of contexts', async (t) => {
  const clock = new TurningClock();
  const found = NAMES.map((key) => {
    return { type: TYPE, bucket: BUCKET, key, context: Buffer.from(key, 'latin1') };
  });
  const text = await textOf(await contextsAnswer(found, clock));
  const list = (JSON.parse(text) as { 'keys-clocks': { key: string; clock: string }[] })[
    'keys-clocks'
  ];
  t.equal(list.length, COUNT);
  t.ok(list.every(({ key, clock: each }) => Buffer.from(each, 'base64').toString() === key));
  t.ok(clock.turns >= 20, `${clock.turns} turns`);
});

t.test('a short list waits for nothing', async (t) => {
  const clock = new TurningClock();
  t.equal(await textOf(await amountsAnswer([], clock)), '{"results":[]}');
  t.equal(clock.turns, 0);
});
