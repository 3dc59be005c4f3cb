/** What an operator is shown of load: hot keys and the slow log, and how names are written. */

import fc from 'fast-check';
import t from 'tap';
import { hotKeyCommands } from '../../src/admin/hot-key-commands.ts';
import { nameToText, textToName } from '../../src/admin/name-text.ts';
import { slowLogCommands } from '../../src/admin/slow-log-commands.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import { HotKeys } from '../../src/node/hot-keys.ts';
import { KeyFingerprint } from '../../src/node/key-fingerprint.ts';
import { SLOW_LOG_DEFAULTS, SlowLog } from '../../src/node/slow-log.ts';
import { systemHost } from '../../src/telemetry/system-host.ts';

const NOWHERE = { debug() {}, info() {}, warn() {}, error() {} };
const host = systemHost(NOWHERE, { count() {}, gauge() {}, observe() {} });
const fingerprint = new KeyFingerprint(host.random);

const KEY = {
  type: 'default' as ByteString,
  bucket: 'patients' as ByteString,
  key: '9990000018' as ByteString,
};

t.test(
  'a hot key is shown as what key locate calls it, and itself only when asked for',
  async (t) => {
    const hotKeys = new HotKeys(host);
    for (let i = 0; i < 1_000; i += 1) hotKeys.note('read', KEY);
    const command = hotKeyCommands(hotKeys, fingerprint).get('hotkeys');
    const keyFingerprint = fingerprint.of(KEY);
    const shown = await command?.({});
    t.match(shown, { reads: { keys: [{ bucket: 'patients', keyFingerprint, share: 1 }] } });
    t.match(shown, { writes: { keys: [] } });
    t.notMatch(JSON.stringify(shown), /9990000018/);
    t.match(await command?.({ revealKeys: true }), { reads: { keys: [{ key: '9990000018' }] } });
  },
);

t.test('the slow log is shown with times and names, no more than was asked for', async (t) => {
  const slowLog = new SlowLog(host, fingerprint, SLOW_LOG_DEFAULTS);
  const command = slowLogCommands(slowLog).get('slowlog');
  for (let ms = 501; ms < 530; ms += 1) {
    slowLog.note({
      api: 'http',
      operation: 'GET object',
      target: { ...KEY, bucket: '\x1b[31mred' as ByteString },
      ms,
      requestBytes: 0,
      replyBytes: 9,
      siblings: 1,
      outcome: '200',
    });
  }
  const shown = (await command?.({ limit: 2 })) as { entries: readonly object[] };
  t.match(shown, { noted: 29, thresholds: { slowMs: 500 }, entries: [{ ms: 529 }, { ms: 528 }] });
  t.equal(shown.entries.length, 2);
  t.match(shown.entries[0], { bucket: '%1B[31mred', time: /^20\d\d-.*Z$/, notable: ['slow'] });
  t.notMatch(JSON.stringify(shown), /9990000018/);
  await t.rejects(async () => command?.({ limit: 0 }), /number of entries/);
  await t.rejects(async () => command?.({ limit: 'all' }), /number of entries/);
});

t.test('a name that is shown can be given back, and is printable', (t) => {
  const bytes = fc
    .uint8Array({ maxLength: 12 })
    .map((each) => Buffer.from(each).toString('latin1'));
  const texts = fc.string({ unit: 'grapheme', maxLength: 12 }).map((each) => {
    return Buffer.from(each).toString('latin1');
  });
  fc.assert(
    fc.property(fc.oneof(bytes, texts), (name) => {
      const text = nameToText(name as ByteString);
      return textToName(text) === name && !/\p{C}/u.test(text);
    }),
  );
  t.equal(nameToText(Buffer.from('Søren Åse').toString('latin1') as ByteString), 'Søren Åse');
  t.end();
});
