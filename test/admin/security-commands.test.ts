/** The security commands: Riak's sentences and tables, refusals in one sentence, and no hash shown. */

import t from 'tap';
import { AdminRefusal } from '../../src/admin/admin-server.ts';
import { clusterCommands } from '../../src/admin/cluster-commands.ts';
import { ringCommands } from '../../src/admin/ring-commands.ts';
import { securityCommands, type SecurityNode } from '../../src/admin/security-commands.ts';
import type {
  GrantsReport,
  RoleReport,
  SecurityStatus,
  SourceReport,
} from '../../src/admin/security-reports.ts';
import { statusCommands } from '../../src/admin/status-commands.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import type { NodeId } from '../../src/base/names.ts';
import {
  ciphersText,
  grantsText,
  groupsText,
  securityStatusText,
  sourcesText,
  usersText,
} from '../../src/cli/security-text.ts';
import { changeSecurity } from '../../src/membership/changes.ts';
import { PasswordHasher, SALT_BYTES } from '../../src/security/password-hasher.ts';
import { addUser } from '../../src/security/role-changes.ts';
import { stateOf } from '../membership/states.ts';
import { TestCluster } from '../node/cluster-harness.ts';

const METRICS = { count: () => {}, gauge: () => {}, observe: () => {} };

/** A node that agrees with itself. */
function lonelyNode(): SecurityNode {
  let state = stateOf(1);
  const hasher = new PasswordHasher(METRICS);
  return {
    state: () => state,
    cluster: () => ({
      securityChanges: {
        hash: (password) => hasher.hash(password, Buffer.alloc(SALT_BYTES, 1)),
        change: async (_command, make) => {
          const outcome = changeSecurity(state, make);
          if (outcome.kind !== 'changed') return outcome;
          ({ state } = outcome);
          return { kind: 'changed' };
        },
      },
    }),
  };
}

type Run = (command: string, options?: Record<string, unknown>) => Promise<unknown>;

/** Runs a command; its message or report, or the sentence of its refusal. */
function runner(node: SecurityNode, hasClientTls = true): Run {
  const commands = securityCommands(node, { hasClientTls, ciphers: 'THIS:!THAT' });
  return async (command, options = {}) => {
    try {
      const result = await commands.get(`security ${command}`)?.(options);
      const isDone = typeof result === 'object' && result !== null && 'message' in result;
      return isDone ? result.message : result;
    } catch (error) {
      if (error instanceof AdminRefusal) return error.message;
      throw error;
    }
  };
}

t.test('users, sources and grants are made, shown and taken away in Riak’s words', async (t) => {
  const node = lonelyNode();
  const run = runner(node);
  t.equal(await run('add-group', { name: 'Readers' }), '');
  const options = ['password=Sesame=1', 'groups=READERS', 'Team=blue'];
  t.equal(await run('add-user', { name: 'Ann', options }), '');
  t.equal(await run('add-user', { name: 'bob' }), '');
  const place = { users: 'ann,bob', cidr: '10.1.2.3/8' };
  t.equal(await run('add-source', { ...place, source: 'password' }), 'Successfully added source');
  const onBucket = { type: 'records', bucket: 'patients' };
  const read = { permissions: 'riak_kv.get,riak_kv.put', ...onBucket, roles: 'group/readers' };
  t.equal(await run('grant', read), 'Successfully granted');
  const list = { permissions: 'riak_kv.list_keys', type: 'any', roles: 'all' };
  t.equal(await run('grant', list), 'Successfully granted');

  t.equal(
    usersText((await run('print-users')) as RoleReport[]),
    `+----------+-----------+----------+-----------+
| username | member of | password |  options  |
+----------+-----------+----------+-----------+
|   ann    |  readers  | ******** | team=blue |
|   bob    |           |          |           |
+----------+-----------+----------+-----------+`,
  );
  t.match(groupsText((await run('print-group', { name: 'readers' })) as RoleReport[]), / readers /);
  t.match(
    sourcesText((await run('print-sources')) as SourceReport[]),
    '| ann, bob | 10.0.0.0/8 | password |',
  );
  const grants = (await run('print-grants', { name: 'ann' })) as GrantsReport;
  t.match(grants, { role: 'user/ann', dedicated: [] });
  t.same(grants.cumulative, [
    { type: null, bucket: null, grants: ['riak_kv.list_keys'] },
    { ...onBucket, grants: ['riak_kv.get', 'riak_kv.put'] },
  ]);
  t.match(grantsText(grants), 'Inherited permissions (user/ann)');
  t.match(grantsText(grants), '| readers | records | patients | riak_kv.get, riak_kv.put |');
  t.match(ciphersText((await run('ciphers')) as string[]), /^THIS\n!THAT$/m);

  const { salt, hash } = node.state().security.users.get('ann' as ByteString)?.password ?? {};
  for (const command of ['print-users', 'print-user', 'status']) {
    const shown = JSON.stringify(await run(command, { name: 'ann' }));
    t.notMatch(shown, hash ?? 'a hash', `${command} shows no hash`);
    t.notMatch(shown, salt ?? 'a salt', `${command} shows no salt`);
  }

  t.equal(await run('revoke', { ...read, permissions: 'riak_kv.put' }), 'Successfully revoked');
  t.same(node.state().security.grants.at(-1)?.permissions, ['riak_kv.get']);
  t.equal(await run('del-source', { users: 'bob', cidr: '10.0.0.0/8' }), 'Deleted source');
  t.equal(await run('del-user', { name: 'ANN' }), 'Successfully deleted ann');
  t.equal(await run('del-group', { name: 'readers' }), 'Successfully deleted readers');
  t.same(node.state().security.sources, []);
});

t.test('what cannot be done is refused with one sentence', async (t) => {
  const node = lonelyNode();
  const run = runner(node);
  await run('add-user', { name: 'ann' });
  const before = node.state();
  const source = { users: 'ann', cidr: '10.0.0.0/8', source: 'trust' };
  const granted = { permissions: 'riak_kv.get', type: 'any', roles: 'ann' };
  const refusals: [string, Record<string, unknown>, string][] = [
    ['add-user', { name: 'all' }, 'This name is reserved for system use'],
    ['add-group', { name: 'ANN' }, 'This name is already in use'],
    ['add-user', { name: 'a b' }, 'Illegal character(s) in name'],
    [
      'add-user',
      { name: 'bob', options: ['age'] },
      'Invalid option age, options are of the form key=value',
    ],
    ['add-user', { name: 'bob', options: ['groups=ann'] }, 'Group(s) not recognized: ann'],
    ['add-user', { name: 'bob', options: ['password='] }, 'The password is empty'],
    ['add-group', { name: 'g', options: ['password=x'] }, 'A group has no password'],
    ['alter-user', { name: 'bob' }, 'User(s) not recognized: bob'],
    ['del-group', { name: 'bob' }, 'Group(s) not recognized: bob'],
    ['print-user', { name: 'bob' }, 'User(s) not recognized: bob'],
    ['add-source', { ...source, users: 'bob' }, 'User(s) not recognized: bob'],
    [
      'add-source',
      { ...source, users: 'all,ann' },
      'A source is for all or for the users that it names',
    ],
    ['add-source', { ...source, cidr: '10.0.0.0' }, 'Invalid CIDR: 10.0.0.0'],
    [
      'add-source',
      { ...source, source: 'pam' },
      'Source not supported: pam; there are trust, password and certificate',
    ],
    ['grant', { ...granted, permissions: 'riak_kv.fly' }, 'Permission not recognized: riak_kv.fly'],
    ['grant', { ...granted, roles: 'group/ann' }, 'User(s) not recognized: group/ann'],
    ['grant', { ...granted, roles: ',' }, 'a user or group is needed'],
    ['revoke', { ...granted, bucket: 'b' }, 'A bucket is named with its type, not with any'],
    ['print-grants', { name: 'eve' }, 'User(s) not recognized: eve'],
  ];
  for (const [command, options, sentence] of refusals) {
    t.equal(await run(command, options), sentence, command);
  }
  t.equal(node.state(), before, 'nothing was agreed');
});

t.test('security is enabled only where a client can log in', async (t) => {
  const node = lonelyNode();
  const status = async (run: Run): Promise<string> =>
    securityStatusText((await run('status')) as SecurityStatus);
  const [withTls, without] = [runner(node), runner(node, false)];
  t.match(await without('enable'), /no TLS for clients/);
  t.equal(await status(without), 'Disabled');
  t.equal(await withTls('enable'), '');
  t.equal(await status(withTls), 'Enabled');
  t.match(await status(without), 'WARNING: this node has no TLS for clients');
  t.equal(await without('disable'), '');
  t.equal(await status(withTls), 'Disabled');
});

t.test('no report of the cluster shows a hash', async (t) => {
  const cluster = await TestCluster.start({ nodeCount: 1 });
  const node = cluster.node('n1' as NodeId);
  const password = { salt: '0f'.repeat(SALT_BYTES), hash: 'a1'.repeat(20) };
  const user = { name: 'ann' as ByteString, groups: [], options: new Map(), password };
  const { securityChanges } = node.cluster();
  await cluster.settle(securityChanges.change('add-user', (each) => addUser(each, user)));
  t.same(node.state().security.users.get(user.name)?.password, password);
  const commands = [
    ...clusterCommands(node),
    ...statusCommands(node, node.operations()),
    ...ringCommands(node, node.operations()),
  ];
  for (const [command, carryOut] of commands) {
    if (!/status|ready/.test(command)) continue;
    const shown = JSON.stringify(await cluster.settle(carryOut({})));
    t.notMatch(shown, new RegExp(`${password.salt}|${password.hash}`), command);
  }
});

t.test('what one node is told, all act on when the command returns', async (t) => {
  const cluster = await TestCluster.start({ nodeCount: 3 });
  const [n1, n2] = ['n1', 'n2'].map((id) => cluster.node(id as NodeId));
  if (n1 === undefined || n2 === undefined) return;
  const commands = securityCommands(n1, { hasClientTls: true, ciphers: '' });
  for (const [command, options] of [
    ['add-user', { name: 'ann' }],
    ['grant', { permissions: 'riak_kv.get', type: 't', roles: 'ann' }],
    ['enable', {}],
  ] as const) {
    await cluster.settle(commands.get(`security ${command}`)?.(options) ?? Promise.reject(command));
  }
  for (const node of cluster.ids.map((id) => cluster.node(id))) {
    const type = 't' as ByteString;
    t.ok(node.gatekeeper.isEnabled());
    const ann = { user: 'ann', address: '10.0.0.1' };
    t.equal(node.gatekeeper.denial(ann, 'riak_kv.get', { type }), undefined);
    t.match(node.gatekeeper.denial(ann, 'riak_kv.put', { type }), /^Permission denied/);
  }
});
