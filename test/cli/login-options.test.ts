/** Logins on the command line: what makes one, and what is refused. */

import t from 'tap';
import { credentialsOf } from '../../src/cli/login-options.ts';

t.test('a command with other options and no user logs in nowhere', async (t) => {
  const options = { start: '3', clients: '32', out: undefined };
  t.equal(await credentialsOf(options as object), undefined);
});

t.test(
  'what belongs to a login is refused without a user, with the name of the option',
  async (t) => {
    for (const login of [{ ca: 'ca.pem' }, { passwordFile: '-' }, { serverName: ['riak'] }]) {
      await t.rejects(credentialsOf(login), { code: 'config', message: 'a login needs --user' });
      await t.rejects(credentialsOf(login, 'to'), { message: 'a login needs --to-user' });
    }
  },
);

t.test('a certificate and its key go together', async (t) => {
  for (const login of [{ cert: 'c.pem' }, { key: 'k.pem' }]) {
    const message = '--cert and --key go together';
    await t.rejects(credentialsOf({ user: 'spine', ...login }), { code: 'config', message });
  }
});
