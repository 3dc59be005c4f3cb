/**
 * `vertebra dashboard`: a page that shows the cluster live, served by a process of the operator's
 * own.
 *
 * It asks the nodes what they tell operators and scrapers anyway, so nodes open nothing for it.
 */

import { askNode } from '../admin/admin-client.ts';
import { adminSocketPath } from '../admin/admin-socket.ts';
import { readConfigFile } from '../config/config-file.ts';
import { DashboardServer, type DashboardOptions } from '../dashboard/dashboard-server.ts';
import { Gatherer } from '../dashboard/gatherer.ts';
import { ANSWER_TIMEOUT_MS, type NodeSource } from '../dashboard/node-source.ts';
import { fetchText, type HttpPlace } from './fetch-text.ts';

export interface DashboardArguments {
  readonly config: readonly string[];
  readonly port: number;
  readonly showKeys?: boolean;
}

/** A key is traced at every member; the others wait no longer than the page. */
const LOCATE_TIMEOUT_MS = 10_000;

export async function runDashboard(options: DashboardArguments): Promise<void> {
  const showsKeys = options.showKeys === true;
  const gatherer = newGatherer(options.config, showsKeys);
  const failed = (reason: string): void => {
    console.error(`vertebra: the dashboard met a fault and goes on: ${reason}`);
  };
  const dashboard = await listen(gatherer, { port: options.port, showsKeys, failed });
  console.log(`The dashboard is at\n  ${dashboard.url}`);
  console.log('for who is on this machine and has this address.');
  if (showsKeys) console.log('It shows keys to whoever asks it for them.');
  console.log('Ctrl-C ends it.');
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        resolve();
      });
    }
  });
  await dashboard.close();
}

/** Of the nodes of these files, and of whom they know beside. */
export function newGatherer(configPaths: readonly string[], showsKeys: boolean): Gatherer {
  const nodes = configPaths.flatMap((path) => readConfigFile(path).nodes);
  return new Gatherer({
    sources: nodes.map(({ name, dataDir, ...place }) =>
      sourceOf(name, place, adminSocketPath(dataDir)),
    ),
    sourceOf: ({ node, ...place }) => sourceOf(node, place),
    showsKeys,
    nowMs: () => performance.now(),
    wallMs: () => Date.now(),
  });
}

function sourceOf(node: string, place: HttpPlace, socketPath?: string): NodeSource {
  return {
    node,
    ask: async (command, options = {}) => {
      if (socketPath === undefined) throw new Error('ENOENT: its admin socket is not known');
      const timeoutMs = command === 'key locate' ? LOCATE_TIMEOUT_MS : ANSWER_TIMEOUT_MS;
      return askNode(socketPath, { command, arguments: options }, timeoutMs);
    },
    fetch: (path) => fetchText(place, path, ANSWER_TIMEOUT_MS),
  };
}

async function listen(
  gatherer: Gatherer,
  options: Pick<DashboardOptions, 'port' | 'showsKeys' | 'failed'>,
): Promise<DashboardServer> {
  try {
    return await DashboardServer.listen(gatherer, options);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why =
      code === 'EADDRINUSE' ? 'is in use: choose another with --port' : `cannot be had: ${message}`;
    throw new Error(`port ${options.port} ${why}`, { cause: error });
  }
}
