/**
 * Queries on real nodes: LevelDB, streams over gRPC that are merged, and a node that dies.
 */

import t from 'tap';
import { startCluster } from './local-cluster.ts';
import type { DevNode } from '../../src/cli/dev-cluster.ts';

const PEOPLE_COUNT = 240;
const GIVEN = ['ANNE', 'MARIE', 'KOFI', 'LEAH'];
const FAMILY = ['SMITH', 'SMYTHE', 'OKAFOR', 'PATEL', 'SNOW'];

function termOf(serial: number): string {
  const born = `19${60 + (serial % 20)}0${1 + (serial % 9)}01`;
  const given = `${GIVEN[serial % 4]}.${GIVEN[(serial + 1) % 4]}`;
  return `${born}|${FAMILY[serial % 5]}|${given}|ZZ${10 + (serial % 80)}`;
}

function keyOf(serial: number): string {
  return String(serial).padStart(6, '0');
}

async function store(node: DevNode, type: string, serial: number): Promise<void> {
  const w = type === 'three' ? 3 : 1;
  const url = `http://${node.host}:${node.httpPort}/types/${type}/buckets/people/keys`;
  const headers = {
    'Content-Type': 'application/json',
    'X-Riak-Index-peoplefinder_bin': termOf(serial),
  };
  const path = `${url}/${keyOf(serial)}?w=${w}&dw=${w}`;
  const reply = await fetch(path, { method: 'PUT', headers, body: '{}' });
  if (reply.status !== 204) throw new Error(`${reply.status}: ${await reply.text()}`);
}

function query(node: DevNode, type: string, document: unknown): Promise<Response> {
  const url = `http://${node.host}:${node.httpPort}/types/${type}/buckets/people/query`;
  return fetch(url, { method: 'POST', body: JSON.stringify(document) });
}

/** Born in the sixties, a family name that begins with SM, ANNE among the given names. */
const FINDER = {
  substitutions: { family: 'SM', given: 'ANNE' },
  query_list: [
    {
      index_name: 'peoplefinder_bin',
      start_term: '1960',
      end_term: '1969~',
      evaluation_expression: 'delim($term, "|", ($dob, $fn, $gn, $pc)) | split($gn, ".", $gn)',
      filter_expression: 'begins_with($fn, :family) AND :given IN $gn',
    },
  ],
};

function expectedKeys(): string[] {
  const keys: string[] = [];
  for (let serial = 0; serial < PEOPLE_COUNT; serial += 1) {
    const [born = '', family = '', given = ''] = termOf(serial).split('|');
    const isFound = born < '1970' && family.startsWith('SM') && given.split('.').includes('ANNE');
    if (isFound) keys.push(keyOf(serial));
  }
  return keys;
}

t.test('a query finds the same through every node, and without one of them', async (t) => {
  const { cluster, nodes, close } = await startCluster(3, {
    one: { n_val: 1 },
    three: { n_val: 3 },
  });
  t.teardown(close);
  const [first, second, third] = nodes as [DevNode, DevNode, DevNode];
  const expected = expectedKeys();
  t.ok(expected.length >= 10);
  for (const type of ['one', 'three']) {
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let serial = next++; serial < PEOPLE_COUNT; serial = next++) {
        await store(nodes[serial % 3] as DevNode, type, serial);
      }
    };
    await Promise.all(Array.from({ length: 16 }, worker));
    for (const node of nodes) {
      t.same(await (await query(node, type, FINDER)).json(), { keys: expected });
    }
    t.same((await readInPages(nodes, type)).sort(), expected, 'page by page, each of another node');
  }

  const exited = cluster.mustChild(third.name).exited();
  cluster.mustChild(third.name).kill('SIGKILL');
  await exited;
  for (const node of [first, second]) {
    const reply = await answered(() => query(node, 'three', FINDER), 200);
    t.same(await reply.json(), { keys: expected });
  }
  // Part of this bucket was on that node alone: less than all is an error, never an answer.
  const incomplete = await answered(() => query(first, 'one', FINDER), 503);
  t.match(await incomplete.json(), { error: /Query with option keys failed/ });
});

async function readInPages(nodes: readonly DevNode[], type: string): Promise<string[]> {
  const keys: string[] = [];
  let continuation: string | undefined;
  let pageCount = 0;
  do {
    const page = { accumulation_option: 'raw_keys', max_results: 5, continuation };
    const reply = await query(nodes[pageCount % 3] as DevNode, type, { ...FINDER, ...page });
    const { raw_keys: found } = (await reply.json()) as { raw_keys: string[] };
    keys.push(...found);
    continuation = reply.headers.get('x-riak-continuation') ?? undefined;
    pageCount += 1;
  } while (continuation !== undefined && pageCount < 100);
  return keys;
}

/** Until the loss has been noticed a query may wait for the dead node and fail. */
async function answered(ask: () => Promise<Response>, status: number): Promise<Response> {
  const deadlineMs = performance.now() + 30_000;
  for (;;) {
    const reply = await ask();
    if (reply.status === status) return reply;
    if (performance.now() > deadlineMs) throw new Error(`${reply.status}: ${await reply.text()}`);
  }
}
