/** The dashboard's server: what it serves to whom, and how much of it. */

import { request } from 'node:http';
import { Server } from 'node:net';
import t from 'tap';
import { DashboardServer, type DashboardOptions } from '../../src/dashboard/dashboard-server.ts';
import { Gatherer } from '../../src/dashboard/gatherer.ts';
import { revealHotKeys } from '../../src/dashboard/key-questions.ts';
import type { Snapshot } from '../../src/dashboard/page/snapshot.ts';

const silent = {
  node: 'a',
  ask: () => Promise.reject(new Error('connect ENOENT')),
  fetch: () => Promise.reject(new Error('connect ECONNREFUSED')),
};

async function serve(options: Partial<DashboardOptions> = {}): Promise<DashboardServer> {
  const gatherer = new Gatherer({
    sources: [silent],
    sourceOf: () => silent,
    showsKeys: options.showsKeys === true,
    nowMs: () => performance.now(),
    wallMs: () => Date.now(),
  });
  const dashboard = await DashboardServer.listen(gatherer, { port: 0, ...options });
  t.teardown(() => dashboard.close());
  return dashboard;
}

/** The events that come until one of this name has. */
async function eventsUntil(url: string, name: string): Promise<readonly string[]> {
  const names: string[] = [];
  const abort = new AbortController();
  const reply = await fetch(`${url}events`, { signal: abort.signal });
  let text = '';
  for await (const chunk of reply.body ?? []) {
    text += Buffer.from(chunk).toString();
    names.splice(
      0,
      names.length,
      ...[...text.matchAll(/^event: (\w+)$/gm)].map(([, each]) => each ?? ''),
    );
    if (names.includes(name) && text.endsWith('\n\n')) break;
  }
  abort.abort();
  return [...names, text];
}

/** As a browser that was made to believe something else. */
function statusOf(url: string, headers: Record<string, string>, method = 'GET'): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { headers, method }, (reply) => {
      reply.resume();
      resolve(reply.statusCode ?? 0);
    });
    asked.once('error', reject);
    asked.end();
  });
}

t.test('connections that the system cannot accept do not stop the dashboard', async (t) => {
  const listens = t.capture(Server.prototype, 'listen', Server.prototype.listen);
  const { url } = await serve();
  const listener = listens()[0]?.receiver as Server;
  for (let count = 0; count < 2; count += 1) {
    listener.emit('error', Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' }));
  }
  t.equal((await fetch(url)).status, 200);
});

t.test('an answer that fails ends nothing but itself', async (t) => {
  const failures: string[] = [];
  // No JSON has it.
  const round = async () => ({ atMs: 1n, nodes: [] });
  const dashboard = await DashboardServer.listen({ round } as unknown as Gatherer, {
    port: 0,
    rounds: { watchedMs: 1, restMs: 60_000 },
    failed: (reason) => failures.push(reason),
  });
  t.teardown(() => dashboard.close());
  for (const deadlineMs = performance.now() + 60_000; failures.length === 0;) {
    if (performance.now() > deadlineMs) throw new Error('nothing has failed');
    await fetch(`${dashboard.url}events`)
      .then((reply) => reply.text())
      .catch(() => undefined);
  }
  t.match(failures[0], /BigInt/);
  t.equal((await fetch(dashboard.url)).status, 200);
});

t.test(
  'the page and all that it needs come from here, and it may talk to nobody else',
  async (t) => {
    const { url } = await serve();
    t.match(url, /^http:\/\/127\.0\.0\.1:\d+\/[\w-]{24}\/$/);
    const page = await fetch(url);
    const policy = page.headers.get('content-security-policy') ?? '';
    t.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self'/);
    t.notMatch(policy, /unsafe|http|\*/);
    t.match(page.headers.get('referrer-policy'), 'no-referrer');
    t.match(page.headers.get('cache-control'), 'no-store');
    const text = await page.text();
    t.notMatch(text, /https?:|style="|<script(?! type="module" src="page\/page\.js">)/);
    const [script, style, icon] = await Promise.all(
      ['page/page.js', 'style.css', 'icon.svg'].map(async (path) => fetch(url + path)),
    );
    t.match(script?.headers.get('content-type'), 'text/javascript');
    t.match(style?.headers.get('content-type'), 'text/css');
    t.match(icon?.headers.get('content-type'), 'image/svg+xml');
    // Each module that a module imports is there too.
    const seen = new Set<string>();
    const follow = async (path: string): Promise<void> => {
      if (seen.has(path)) return;
      seen.add(path);
      const reply = await fetch(`${url}page/${path}`);
      t.equal(reply.status, 200, path);
      const source = await reply.text();
      for (const [, next = ''] of source.matchAll(/from '\.\/([\w-]+\.js)'/g)) await follow(next);
    };
    await follow('page.js');
    t.ok(seen.size > 10);
  },
);

t.test('nothing is told without the secret, to another name, or to another site', async (t) => {
  const { url } = await serve();
  const { origin, host } = new URL(url);
  t.equal((await fetch(origin)).status, 404);
  t.equal((await fetch(`${origin}/events`)).status, 404);
  t.equal(await statusOf(url, { host: 'evil.example' }), 403);
  t.equal(await statusOf(url, { host, origin: 'https://evil.example' }), 403);
  t.equal(await statusOf(url, { host, 'sec-fetch-site': 'cross-site' }), 403);
  t.equal(await statusOf(url, { host }, 'DELETE'), 405);
  t.equal(await statusOf(`${url}page/../../dashboard-server.js`, { host }), 404);
  t.equal(await statusOf(url, { host }, 'HEAD'), 200);
});

t.test('viewers are told at once what is known, and are a bounded number', async (t) => {
  const dashboard = await serve({ viewersMax: 1 });
  const events = await eventsUntil(dashboard.url, 'snapshot');
  t.equal(events[0], 'history');
  const [, snapshot = '{}'] = /^event: snapshot\ndata: (.*)$/m.exec(events.at(-1) ?? '') ?? [];
  t.match(JSON.parse(snapshot) as Snapshot, {
    nodes: [{ node: 'a', silence: 'connect ECONNREFUSED' }],
  });
  const abort = new AbortController();
  // The one before leaves when its connection has ended.
  let first = await fetch(`${dashboard.url}events`, { signal: abort.signal });
  while (first.status === 503)
    first = await fetch(`${dashboard.url}events`, { signal: abort.signal });
  t.equal(first.status, 200);
  t.equal((await fetch(`${dashboard.url}events`)).status, 503);
  abort.abort();
});

t.test(
  'questions about keys are answered only where keys are shown, and none is too large',
  async (t) => {
    const ask = async ({ url }: DashboardServer, path: string, body: string): Promise<Response> =>
      fetch(url + path, { method: 'POST', body, headers: { origin: new URL(url).origin } });
    t.equal((await ask(await serve(), 'keys/hot', '{}')).status, 403);
    const open = await serve({ showsKeys: true });
    t.same(await (await ask(open, 'keys/hot', '{}')).json(), []);
    const none = await ask(open, 'keys/locate', '{"type":"default"}');
    t.equal(none.status, 400);
    t.match(await none.text(), 'no node answers over its admin socket');
    t.equal((await ask(open, 'keys/hot', '{')).status, 400);
    t.equal((await ask(open, 'keys/hot', JSON.stringify('x'.repeat(20_000)))).status, 400);
    t.equal((await ask(open, 'keys/other', '{}')).status, 403);
  },
);

t.test('hot keys are revealed by the nodes that are left', async (t) => {
  const found = { keys: [{ keyFingerprint: 'f', key: 'k' }] };
  const up = { ...silent, node: 'b', ask: async () => ({ reads: found, writes: { keys: [] } }) };
  const revealed = await revealHotKeys({ socketSources: () => [silent, up] });
  t.same(revealed, [{ node: 'b', fingerprint: 'f', key: 'k' }]);
  await t.rejects(revealHotKeys({ socketSources: () => [silent] }), { message: /no node answers/ });
});
