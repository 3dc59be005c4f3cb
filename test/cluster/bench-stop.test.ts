/**
 * Ctrl-C at any moment of a run ends it soon and in order, and what has been measured is shown though
 * it cannot be written.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { until } from '../api/pbc/served.ts';
import { ENTRY_POINT, freeBasePort } from './local-cluster.ts';

const WORKLOAD = `
workload: small
clients: 1
buckets:
  one: { bucket: things }
keys:
  keys: { kind: shared, bucket: one, count: 10 }
values:
  value: { kind: fixed, size: 16B }
operations:
  write: { op: put, keys: keys, value: value }
steady: { at_most: 0s }
warm_up: { operations: 1 }
measure: [{ loop: closed, duration: 1s }]
`;

interface Ended {
  readonly code: number | null;
  readonly said: string;
}

/** Of a process that has `folder` for what is temporary. */
async function bench(
  parameters: readonly string[],
  folder: string,
  onStart: (child: ReturnType<typeof spawn>) => Promise<void> = async () => {},
): Promise<Ended> {
  const command = [ENTRY_POINT, 'bench', 'run', ...parameters];
  const env = { ...process.env, TMPDIR: folder };
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'], env });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  }
  const closed = once(child, 'close');
  await onStart(child);
  const [code] = (await closed) as [number | null];
  return { code, said };
}

function scratch(t: { teardown: (work: () => void) => void }, workload = WORKLOAD): string {
  const folder = mkdtempSync(join(tmpdir(), 'vertebra-stop-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'small.yml'), workload);
  return folder;
}

t.test('a run that is stopped while its nodes start leaves neither node nor folder', async (t) => {
  const folder = scratch(t);
  const ofRun = (): string[] => {
    return readdirSync(folder).filter((name) => name.startsWith('vertebra-bench-'));
  };
  const basePort = String(await freeBasePort(2));
  const parameters = [join(folder, 'small.yml'), '--start', '2', '--base-port', basePort];
  const { code, said } = await bench(parameters, folder, async (child) => {
    await until(() => ofRun().some((name) => existsSync(join(folder, name, 'dev1'))));
    child.kill('SIGINT');
  });
  t.equal(code, 1);
  t.match(said, /the run was interrupted/);
  t.same(ofRun(), []);
  t.same(nodesIn(folder), []);
});

/** Processes whose command line names the folder. */
function nodesIn(folder: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`${folder}/vertebra-bench-`);
    } catch {
      // It has ended.
      return false;
    }
  });
}

t.test('nodes that cannot start leave no folder', async (t) => {
  const folder = scratch(t);
  const parameters = [join(folder, 'small.yml'), '--start', '1', '--base-port', '65530'];
  const { code } = await bench(parameters, folder);
  t.equal(code, 1);
  t.same(readdirSync(folder), ['small.yml']);
});

t.test('a rest of an hour after the load ends with Ctrl-C', async (t) => {
  const folder = scratch(t, `${WORKLOAD}settle: 1h\n`);
  const parameters = [join(folder, 'small.yml'), '--target', `engine:${join(folder, 'store')}`];
  const { code, said } = await bench(parameters, folder, async (child) => {
    let loaded = '';
    child.stdout?.on('data', (text: string) => {
      loaded += text;
    });
    await until(() => loaded.includes('load: '));
    child.kill('SIGINT');
  });
  t.equal(code, 1);
  t.match(said, /the run was interrupted/);
});

t.test('a report that has no place is refused before the run', async (t) => {
  const folder = scratch(t);
  const out = join(folder, 'small.yml', 'below');
  const parameters = [join(folder, 'small.yml'), '--target', 'null', '--out', out];
  const { code, said } = await bench(parameters, folder);
  t.equal(code, 1);
  t.match(said, /the report cannot be written to .*small\.yml\/below/);
  t.notMatch(said, /closed: /, 'nothing was run in vain');
});

t.test('figures are shown though their report cannot be written any more', async (t) => {
  const folder = scratch(t);
  const out = join(folder, 'out');
  // In its way once the run is over.
  const blocked = join(out, 'result.json');
  const parameters = [join(folder, 'small.yml'), '--target', 'null', '--out', out];
  const { code, said } = await bench(parameters, folder, async () => {
    await until(() => existsSync(out));
    mkdirSync(blocked, { recursive: true });
  });
  t.equal(code, 1);
  t.match(said, /the report cannot be written/);
  t.match(said, /operation +ok\/s/, 'the table');
});
