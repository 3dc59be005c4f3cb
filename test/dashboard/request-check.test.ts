/** Who may ask the dashboard anything. */

import t from 'tap';
import { judgeRequest, type CheckedRequest } from '../../src/dashboard/request-check.ts';

const SECRET = 'c2VjcmV0';
const OWN: CheckedRequest = {
  method: 'GET',
  target: `/${SECRET}/events?x=1`,
  headers: { host: '127.0.0.1:8700' },
};

t.test('the page itself may ask, under each name of loopback and through a forwarded port', (t) => {
  t.same(judgeRequest(OWN, SECRET), { kind: 'allowed', path: 'events' });
  for (const host of ['localhost:9', '[::1]:8700', '127.0.0.1', 'LOCALHOST:8700']) {
    const headers = { host, origin: `http://${host}`, 'sec-fetch-site': 'same-origin' };
    t.match(judgeRequest({ ...OWN, headers, method: 'POST' }, SECRET), { kind: 'allowed' }, host);
  }
  t.match(judgeRequest({ ...OWN, target: `/${SECRET}/` }, SECRET), { path: '' });
  t.end();
});

t.test('nobody else may: another name, another site, another user of the machine', (t) => {
  const { headers: own } = OWN;
  const refused: [why: string, request: Partial<CheckedRequest>, status: number][] = [
    ['a rebound name', { headers: { host: 'evil.example:8700' } }, 403],
    ['a name that begins as loopback', { headers: { host: '127.0.0.1.evil.example' } }, 403],
    ['no name', { headers: {} }, 403],
    ['another site', { headers: { ...own, origin: 'https://evil.example' } }, 403],
    ['another port of loopback', { headers: { ...own, origin: 'http://127.0.0.1:1' } }, 403],
    ['a sandboxed page', { headers: { ...own, origin: 'null' } }, 403],
    ['a link from another site', { headers: { ...own, 'sec-fetch-site': 'cross-site' } }, 403],
    [
      'another port, as seen by the browser',
      { headers: { ...own, 'sec-fetch-site': 'same-site' } },
      403,
    ],
    ['a question without an origin', { method: 'POST' }, 403],
    ['a change', { method: 'DELETE' }, 405],
    ['no secret', { target: '/' }, 404],
    ['another secret', { target: '/c2VjcmV1/' }, 404],
    ['a part of it', { target: '/c2Vj/' }, 404],
    ['no path below it', { target: `/${SECRET}` }, 404],
    ['a whole URL', { target: `http://127.0.0.1:8700/${SECRET}/` }, 404],
  ];
  for (const [why, request, status] of refused) {
    t.match(judgeRequest({ ...OWN, ...request }, SECRET), { kind: 'refused', status }, why);
  }
  t.end();
});
