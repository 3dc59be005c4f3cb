/**
 * `vertebra start`: one node in the foreground.
 *
 * Exit codes: 0 stopped as asked, 1 it could not start or a bug was met (the log and stderr say
 * which). SIGTERM and SIGINT stop it cleanly; so does the end of the parent that started it as a
 * child, so that a killed `vertebra dev` leaves nothing behind. SIGHUP has it read its certificates
 * again, and the passwords of sources.
 */

import { resolve } from 'node:path';
import { logCommands } from '../admin/log-commands.ts';
import { LogLevels } from '../base/log-levels.ts';
import type { NodeConfig } from '../config/cluster-config.ts';
import { openConfigFile } from '../config/config-file.ts';
import { MetricsRegistry } from '../telemetry/metrics-registry.ts';
import { PinoLog } from '../telemetry/pino-log.ts';
import { measureProcess } from '../telemetry/process-metrics.ts';
import { SystemClock, systemHost } from '../telemetry/system-host.ts';
import { tellParent } from './child-node.ts';
import { growHeapFreely } from './heap-growth.ts';
import { NodeRuntime } from './node-runtime.ts';

export interface StartOptions {
  readonly config: string;
  readonly node: string;
  readonly data?: string;
  /** The data folder is an older copy of itself: what the node promised since is not in it. */
  readonly restored?: boolean;
}

export async function runNode(options: StartOptions): Promise<void> {
  try {
    await serve(options);
  } catch (error) {
    tellParent({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) });
    throw error;
  }
}

async function serve(options: StartOptions): Promise<void> {
  growHeapFreely();
  const { document, config } = openConfigFile(options.config);
  const self = selfIn(config.nodes, options);
  const clock = new SystemClock();
  const logLevels = new LogLevels(clock, config.log.level);
  const { destination } = config.log;
  const log = new PinoLog({ levels: logLevels, destination, node: self.name });
  const metrics = new MetricsRegistry(clock);
  measureProcess(metrics, clock);
  const host = systemHost(log, metrics);
  const stopAsked = isOrphan() ? Promise.resolve() : waitForStop();
  stopOnBug((error) => {
    log.error('node.bug', { error });
    console.error(`vertebra: ${self.name} met a bug and stops: ${describe(error)}`);
    process.exit(1);
  });
  const runtime = await NodeRuntime.start({
    config,
    self,
    host,
    metrics,
    commands: new Map([...logCommands(logLevels, log), ['config', async () => document]]),
    isRestored: options.restored === true,
    onOutdated: (reason) => {
      console.error(`vertebra: ${self.name} stops: ${reason}; its next start takes a new identity`);
      process.exit(1);
    },
    onBug: (error) => {
      throw error;
    },
  });
  process.on('SIGHUP', () => runtime.reloadSecrets());
  log.info('node.ready', { http: self.httpPort, pbc: self.pbcPort, durability: config.durability });
  if (config.durability === 'os') log.warn('store.durability_os');
  tellParent({ kind: 'ready' });
  await stopAsked;
  // Who asks again does not want to wait.
  await Promise.race([runtime.drain(), waitForStop()]);
  await runtime.stop();
  log.info('node.gone');
  // Nothing may hold the process once the store is closed.
  process.exit(0);
}

function selfIn(nodes: readonly NodeConfig[], options: StartOptions): NodeConfig {
  const self = nodes.find(({ name }) => name === options.node);
  if (self === undefined) {
    const known = nodes.map(({ name }) => name).join(', ');
    throw new Error(`node ${options.node} is not in ${options.config}; it has ${known}`);
  }
  return options.data === undefined ? self : { ...self, dataDir: resolve(options.data) };
}

/** Whether its parent has died while this was loaded; without one there never was a channel. */
function isOrphan(): boolean {
  const { connected } = process as { readonly connected?: boolean };
  return connected === false;
}

function waitForStop(): Promise<void> {
  return new Promise((stop) => {
    process.once('SIGTERM', () => stop());
    process.once('SIGINT', () => stop());
    process.once('disconnect', () => stop());
  });
}

/** A process in an unknown state must not acknowledge anything. */
function stopOnBug(onBug: (error: unknown) => void): void {
  process.on('uncaughtException', onBug);
  process.on('unhandledRejection', onBug);
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
