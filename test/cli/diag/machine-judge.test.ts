/** What a diagnosis makes of a machine: each trouble is met, and nothing else is called one. */

import t from 'tap';
import type { NodeConfig } from '../../../src/config/cluster-config.ts';
import type { Finding } from '../../../src/cli/diag/finding.ts';
import {
  judgeCertificate,
  judgeCiphers,
  judgeClocks,
  judgeCores,
  judgeFileSystem,
  judgeFreeSpace,
  judgeMemory,
  judgeOpenFiles,
  judgePorts,
  judgeSwap,
  judgeSyncs,
} from '../../../src/cli/diag/machine-judge.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const DAY_MS = 86_400_000;

function verdicts(findings: readonly Finding[]): string[] {
  t.ok(findings.every(({ verdict, advice }) => (verdict === 'ok') === (advice === undefined)));
  return findings.map(({ verdict }) => verdict);
}

function limits(soft: string): string {
  return `Limit  Soft Limit  Hard Limit  Units\nMax open files            ${soft}  524288  files\n`;
}

t.test('files, memory and swap that a node needs', (t) => {
  const files = ['unlimited', '65536', '20000', '1024'].map((soft) =>
    judgeOpenFiles(limits(soft), 10_000),
  );
  t.same(verdicts([...files, judgeOpenFiles('', 1)]), ['ok', 'ok', 'warn', 'fail', 'ok']);
  t.match(files[2]?.advice, /LimitNOFILE=22000/);

  const meminfo = 'MemTotal:  16777216 kB\nSwapTotal:  1048576 kB\nSwapFree:  1048576 kB\n';
  const config = {
    store: { cacheSizeBytes: 64 * MIB, writeBufferSizeBytes: 32 * MIB, inlineMaxBytes: 4096 },
  };
  const groups = [undefined, 8 * GIB, 800 * MIB, 512 * MIB].map((groupLimitBytes) =>
    judgeMemory({ meminfo, groupLimitBytes }, config),
  );
  t.same(verdicts(groups), ['ok', 'ok', 'warn', 'fail']);
  t.match(groups[0]?.found, '16.0 GiB of the machine, about 640 MiB needed');
  t.match(groups[3]?.found, '512 MiB limit of its control group');

  const used = meminfo.replace('SwapFree:  1048576', 'SwapFree:  1048000');
  const swap = [
    judgeSwap('SwapTotal: 0 kB\n', '60\n'),
    judgeSwap(meminfo, '1\n'),
    judgeSwap(meminfo, '60\n'),
    judgeSwap(used, '1\n'),
  ];
  t.same(verdicts(swap), ['ok', 'ok', 'warn', 'warn']);
  const cores = [judgeCores(8, 'max 100000'), judgeCores(8, '150000 100000'), judgeCores(1, '')];
  t.same(verdicts(cores), ['ok', 'warn', 'warn']);
  t.equal(cores[1]?.found, '1.5 of 8');
  t.end();
});

t.test('where the data are, and how fast that is', (t) => {
  const mounts = [
    '/dev/sda1 / ext4 rw 0 0',
    'srv:/x /nfs nfs4 rw 0 0',
    'tmpfs /tmp tmpfs rw 0 0',
    'overlay /layer overlay rw 0 0',
    '/dev/sdb1 /tmp/real\\040disk xfs rw 0 0',
  ].join('\n');
  const systems = ['/data', '/nfs/a', '/tmp', '/layer/x', '/tmp/real disk/d1', '/tmpfoo'].map(
    (folder) => judgeFileSystem({ folder, mounts }),
  );
  t.same(verdicts(systems), ['ok', 'warn', 'fail', 'warn', 'ok', 'ok']);
  t.equal(systems[4]?.found, 'xfs at /tmp/real\\040disk');

  const disk = { folder: '/', mounts, totalBytes: 100 * GIB };
  const space = [50, 15, 1].map((free) =>
    judgeFreeSpace({ ...disk, freeBytes: free * GIB }, 2 * GIB),
  );
  t.same(verdicts(space), ['ok', 'warn', 'fail']);
  const syncs = [
    judgeSyncs([0.4, 0.5, 30]),
    judgeSyncs([0.4, 0.5, 900]),
    judgeSyncs([20, 20, 20]),
    judgeSyncs([200, 150, 300]),
  ];
  t.same(verdicts(syncs), ['ok', 'warn', 'warn', 'fail']);
  t.equal(syncs[3]?.found, '200.0 ms, slowest of 3 300.0 ms');
  t.end();
});

t.test('ports, certificates and clocks', (t) => {
  const node = (name: string, httpPort: number): NodeConfig =>
    ({
      name,
      host: 'h',
      listenHost: '::',
      httpPort,
      pbcPort: httpPort + 1,
      peerPort: httpPort + 2,
    }) as never;
  const [first, second, third] = [node('a', 8000), node('b', 8002), node('c', 40_000)];
  const nodes = [first, second, third];
  const range = '32768\t60999\n';
  const ports = nodes.map((self) => judgePorts(nodes, { self, range }));
  t.same(verdicts(ports), ['fail', 'fail', 'warn']);
  t.equal(ports[0]?.found, 'h:8002 of a and b');
  t.match(ports[2]?.advice, 'ip_local_reserved_ports=40000,40001,40002');
  t.same(verdicts([judgePorts([first], { self: first, range })]), ['ok']);

  const certificates = [90, 10, -1].map((days) =>
    judgeCertificate('node.pem', new Date(days * DAY_MS), 0),
  );
  t.same(verdicts(certificates), ['ok', 'warn', 'fail']);

  const ciphers = ['ECDHE-RSA-AES256-GCM-SHA384:@SECLEVEL=1', 'DEFAULT:@SECLEVEL=0', 'HIGH'];
  t.same(verdicts(ciphers.map(judgeCiphers)), ['ok', 'warn', 'ok']);

  const peer = (offsetMs: number | undefined) => ({ node: 'b', offsetMs, uncertainMs: 600 });
  const clocks = [[], [peer(undefined)], [peer(-900)], [peer(900), peer(-3_000)], [peer(60_000)]];
  t.same(verdicts(clocks.map(judgeClocks)), ['ok', 'ok', 'ok', 'warn', 'fail']);
  const exact = (offsetMs: number) => judgeClocks([{ node: 'b', offsetMs, uncertainMs: 1 }]);
  t.same(verdicts([exact(490), exact(-510)]), ['ok', 'warn']);
  t.equal(exact(1_501).found, 'b is off by 1.5 s');
  t.end();
});
