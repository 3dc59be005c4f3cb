/** What must not leave a machine, wherever it stands. */

import t from 'tap';
import { redacted, redactedText } from '../../../src/cli/support/redact.ts';

t.test('values of names that speak of secrets are hidden, at any depth', (t) => {
  const shown = redacted({
    users: [
      { name: 'ann', password: 'geheim', hasPassword: true, options: { apiToken: 'geheim' } },
    ],
    tls: { key_file: '/etc/node.key', privateKey: 'geheim' },
    count: 3,
  });
  t.same(shown, {
    users: [{ name: 'ann', password: '***', hasPassword: true, options: { apiToken: '***' } }],
    tls: { key_file: '/etc/node.key', privateKey: '***' },
    count: 3,
  });
  t.end();
});

t.test('secrets inside of texts are hidden, and the rest of the text stays', (t) => {
  const key = '-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----';
  t.equal(redactedText(`a ${key} b`), 'a *** b');
  t.equal(redactedText('-----BEGIN PRIVATE KEY-----\nMHcCAQEE'), '***', 'cut off');
  t.equal(redactedText('GET http://ann:geheim@h:1/x'), 'GET http://***@h:1/x');
  t.equal(redactedText('password=geheim groups=a'), 'password=*** groups=a');
  t.equal(redactedText('{"password": "ge heim", "a": 1}'), '{"password": ***, "a": 1}');
  t.equal(redactedText('-----BEGIN CERTIFICATE-----'), '-----BEGIN CERTIFICATE-----');
  t.end();
});

t.test('what is nested without end is cut', (t) => {
  let value: unknown = 'end';
  for (let depth = 0; depth < 10_000; depth += 1) value = [value];
  t.ok(JSON.stringify(redacted(value)).length < 100);
  t.end();
});
