/** A diagnosis of this machine, with a node that runs and with one that does not. */

import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { AdminRefusal } from '../../../src/admin/admin-server.ts';
import { diagnose } from '../../../src/cli/diag/diagnose.ts';
import { diagnoseNodes, diagnosesText } from '../../../src/cli/diag/diagnose-nodes.ts';
import { findingsText, type Finding } from '../../../src/cli/diag/finding.ts';
import { judgeAbsence, judgeNode, type NodeAnswers } from '../../../src/cli/diag/node-judge.ts';
import type { NodeId } from '../../../src/base/names.ts';
import { readConfigFile } from '../../../src/config/config-file.ts';
import { Authority } from '../../transport/certificates.ts';

function verdictOf(findings: readonly Finding[], check: string): string | undefined {
  return findings.find((finding) => finding.check === check)?.verdict;
}

const STATUS: NodeAnswers['status'] = {
  isReady: true,
  reason: 'serving',
  ringSize: 8,
  unsafePartitions: { nodes: 0, down: 0, locations: 0 },
  transfersStalled: 0,
};
const WELL: NodeAnswers = {
  status: STATUS,
  readiness: { isReady: true, nodes: [], down: [], behind: [], unreadable: undefined },
  cluster: { members: [{ release: '0.1.0' }, { release: '0.1.0' }] } as never,
  hints: { total: 0 },
  metrics: '# TYPE x gauge\nvertebra_backup_last_success_timestamp_seconds 864000\n# EOF\n',
};
const NOW_MS = 11 * 86_400_000;

t.test('a node that is well is called well, and each of its troubles is named', (t) => {
  t.ok(judgeNode(WELL, NOW_MS).every(({ verdict }) => verdict === 'ok'));
  const { readiness } = WELL;
  const troubles: (readonly [check: string, verdict: string, answers: Partial<NodeAnswers>])[] = [
    ['node', 'fail', { status: { isReady: false, reason: 'the disk is nearly full' } }],
    ['members', 'fail', { readiness: { ...readiness, down: ['b'] as never } }],
    ['members', 'warn', { readiness: { ...readiness, behind: ['b'] as never } }],
    ['members', 'fail', { readiness: { ...readiness, unreadable: 'it is of format 3' } }],
    ...(['nodes', 'down', 'locations'] as const).map((reason) => {
      const unsafePartitions = { nodes: 0, down: 0, locations: 0, [reason]: 3 };
      return ['partitions', 'warn', { status: { ...STATUS, unsafePartitions } }] as const;
    }),
    ['transfers', 'warn', { status: { ...STATUS, transfersStalled: 1 } }],
    ['releases', 'warn', { cluster: { members: [{ release: '1' }, { release: '2' }] } as never }],
    ['hints', 'warn', { hints: { total: 7 } }],
    ['backup', 'warn', { metrics: '' }],
  ];
  for (const [check, verdict, answers] of troubles) {
    t.equal(verdictOf(judgeNode({ ...WELL, ...answers }, NOW_MS), check), verdict, check);
  }
  t.equal(verdictOf(judgeNode(WELL, 3 * NOW_MS), 'backup'), 'warn', 'an old one');
  const before = { ...WELL, status: { isReady: true, reason: 'serving' } };
  t.ok(
    judgeNode(before, NOW_MS).every(({ verdict }) => verdict === 'ok'),
    'an older release',
  );
  t.end();
});

t.test('this machine is looked at, and nothing is left in the data folder', async (t) => {
  const text = 'cluster: c\nnodes:\n  - { name: a@127.0.0.1, data_dir: data }\n';
  const folder = t.testdir({ data: {}, 'broken.pem': 'no certificate', 'cluster.yml': text });
  const config = readConfigFile(join(folder, 'cluster.yml'));
  const [self] = config.nodes;
  if (self === undefined) throw new Error('no node');
  const query = (): Promise<never> => Promise.reject(new AdminRefusal('the node is not running'));
  const findings = await diagnose({ config, self, query });
  t.equal(verdictOf(findings, 'node'), 'fail');
  t.ok(['free space', 'disk sync', 'ports'].every((check) => verdictOf(findings, check)));
  t.same(readdirSync(join(folder, 'data')), []);
  t.match(findingsText(findings), /^fail +node +the node is not running$/m);
  t.match(findingsText(findings), /\n\nfail node: start it/);

  const elsewhere = { ...self, name: 'b@elsewhere' as NodeId, dataDir: join(folder, 'nowhere') };
  const all = diagnosesText(await diagnoseNodes(config, [self, elsewhere], query));
  t.match(all, /^a@127\.0\.0\.1 +fail +node +the node is not running$/m);
  t.match(all, /^b@elsewhere +- +no answer$/m);
  t.match(all, /\nb@elsewhere: its data folder is not on this machine/);

  const files = new Authority('cluster').issue(folder, 'a');
  const peerTls = { ...files, crlFile: undefined, verifiesNames: true };
  const sound = await diagnose({ config: { ...config, peerTls }, self, query });
  t.equal(verdictOf(sound, 'certificate'), 'warn', 'it ends tomorrow');
  appendFileSync(files.caFile, readFileSync(files.caFile, 'utf8').slice(0, 100));
  const half = await diagnose({ config: { ...config, peerTls }, self, query });
  t.match(findingsText(half), /^fail +certificate +.*-ca\.pem is no list of authorities/m);

  const broken = join(folder, 'broken.pem');
  const shown = { certFile: broken, keyFile: broken, ciphers: '@SECLEVEL=0' };
  const clientTls = { ...shown, caFile: undefined, crlFile: undefined };
  const lost = { ...self, dataDir: join(folder, 'nowhere') };
  const worse = await diagnose({ config: { ...config, clientTls }, self: lost, query });
  t.equal(verdictOf(worse, 'certificate'), 'fail');
  t.equal(verdictOf(worse, 'ciphers'), 'warn');
  t.equal(verdictOf(worse, 'data folder'), 'fail');
});

t.test('what to do about a node that says nothing depends on why it does not', (t) => {
  const remedyFor = (reason: string) => judgeAbsence(reason).advice;
  t.match(remedyFor('the node is not running (/d/admin.sock: connect ENOENT)'), /^start it/);
  t.match(remedyFor('no answer from the node within 60000 ms'), /^look at its process/);
  t.match(remedyFor('only the user who runs the node may ask it (EACCES)'), /^ask as that user/);
  t.end();
});
