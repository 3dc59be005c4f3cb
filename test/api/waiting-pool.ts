/** Connections that are opened all at once, before the server comes to accept the first of them. */

import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type t from 'tap';

type Test = Pick<typeof t, 'teardown'>;

const POOL_SIZE = 700;
const SYSTEM_BACKLOG = '/proc/sys/net/core/somaxconn';

/** Why the test cannot be made here; false: it can. */
export const skipPool: string | false =
  existsSync(SYSTEM_BACKLOG) && Number(readFileSync(SYSTEM_BACKLOG, 'utf8')) > POOL_SIZE
    ? false
    : 'the system lets fewer connections wait';

/** How many of them are not connected yet when `ask`, who came later, has been answered. */
export async function countLate(
  t: Test,
  port: number,
  ask: () => Promise<unknown>,
): Promise<number> {
  const pool: Socket[] = [];
  t.teardown(() => pool.forEach((socket) => socket.destroy()));
  for (let count = 0; count < POOL_SIZE; count += 1)
    pool.push(connect({ port, host: '127.0.0.1' }));
  await once(pool[0]!, 'connect');
  // Connections are accepted in the order in which they wait. One that found no room is tried again after a second.
  await ask();
  return pool.filter((socket) => socket.connecting).length;
}
