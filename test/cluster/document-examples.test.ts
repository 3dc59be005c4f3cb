/** What README.md and docs/api.md show runs as it is written, one block after the other. */

import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import t, { type Test } from 'tap';
import { ENTRY_POINT, startCluster, type LocalCluster } from './local-cluster.ts';

const PROJECT = resolve(import.meta.dirname, '../../..');
const CURL = join(import.meta.dirname, 'curl.js');
const NODE_MODULES = resolve(createRequire(import.meta.url).resolve('basho-riak-client'), '../..');

interface Printed {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const folder = mkdtempSync(join(tmpdir(), 'vertebra-test-'));
const local: LocalCluster = await startCluster(3);
copyFileSync(local.configPath, join(folder, 'cluster.yml'));
t.teardown(async () => {
  await local.close();
  rmSync(folder, { recursive: true, force: true });
});

function run(program: string, parameters: readonly string[]): Promise<Printed> {
  const env = { ...process.env, NODE_PATH: NODE_MODULES };
  return new Promise((done) => {
    const child = execFile(program, parameters, { cwd: folder, env }, (_, stdout, stderr) => {
      done({ code: child.exitCode, stdout, stderr });
    });
  });
}

/** The blocks of a language, with the ports of the running nodes in the place of those of `cluster.yml`. */
function examples(document: string, language: string): string[] {
  const text = readFileSync(join(PROJECT, document), 'utf8');
  const ports = new Map<string, number>();
  for (const [index, { httpPort, pbcPort }] of local.nodes.entries()) {
    ports.set(`127.0.0.1:${8098 + 100 * index}`, httpPort);
    ports.set(`127.0.0.1:${8087 + 100 * index}`, pbcPort);
  }
  return [...text.matchAll(/```(\w+)\n(.*?)```/gs)]
    .filter(([, name]) => name === language)
    .map(([, , block = '']) => {
      return block.replaceAll(/127\.0\.0\.1:\d+/g, (place) => `127.0.0.1:${ports.get(place)}`);
    });
}

/** Runs those that ask nodes; stops at the first that fails. */
async function runShell(t: Test, document: string): Promise<{ stdout: string; statuses: string }> {
  const asking = examples(document, 'sh').filter((block) =>
    /\bcurl |bucket-type create/.test(block),
  );
  const functions = [
    'set -euo pipefail',
    `curl() { "${process.execPath}" "${CURL}" "$@"; }`,
    `npx() { shift; "${process.execPath}" "${ENTRY_POINT}" "$@"; }`,
  ];
  const { code, stdout, stderr } = await run('bash', ['-c', [...functions, ...asking].join('\n')]);
  t.equal(code, 0);
  if (code !== 0) t.comment(stderr);
  const answered = stderr.split('\n').filter((line) => /^\d{3} /.test(line));
  t.ok(answered.length > 5, `${answered.length} answers`);
  const refused = answered.filter((line) => !/^(20[014]|300) /.test(line));
  return { stdout, statuses: refused.map((line) => line.slice(0, 3)).join(' ') };
}

t.test('the first calls of the README', async (t) => {
  const { stdout, statuses } = await runShell(t, 'README.md');
  t.match(stdout, '{"familyName":"Okafor"}', 'what was stored is read through another node');
  t.match(stdout, /X-Riak-Meta-Source: demo/);
  t.equal(statuses, '412 409', 'the two conditions that do not hold, and nothing else');
  const [script = ''] = examples('README.md', 'js');
  t.match(await run(process.execPath, ['-e', script]), { code: 0, stdout: /familyName: 'Okafor'/ });
});

t.test('the calls of docs/api.md', async (t) => {
  const { stdout, statuses } = await runShell(t, 'docs/api.md');
  for (const shown of [
    'maps has been activated',
    'Content-Type: multipart/mixed',
    '{"type":"set","value":["nuts","penicillin"]',
    '{"raw_keys":["p1"]}',
    '{"dispatched_count":2}',
  ]) {
    t.ok(stdout.includes(shown), shown);
  }
  t.equal(statuses, '412 409');
  const [script = ''] = examples('docs/api.md', 'js');
  t.match(await run(process.execPath, ['-e', script]), { code: 0, stdout: /Leeds|Okafor/ });
});
