/**
 * `vertebra admin cluster recover`: the last resort, on the data of a node that is stopped.
 *
 * Without `--yes` it says what it would do and what that risks, and changes nothing.
 */

import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { LogLevels } from '../base/log-levels.ts';
import type { NodeId } from '../base/names.ts';
import { decodeRecord, encodeRecord } from '../membership/agreement-codec.ts';
import { recover, type RecoveryOutcome } from '../membership/recovery.ts';
import { StoreAgreementLog } from '../node/agreement-wiring.ts';
import { findStoreOwner } from '../node/store-owner.ts';
import { openLevelDbStore } from '../storage/open-leveldb.ts';
import { MetricsRegistry } from '../telemetry/metrics-registry.ts';
import { PinoLog } from '../telemetry/pino-log.ts';
import { SystemClock, systemHost } from '../telemetry/system-host.ts';

export interface RecoverOptions {
  readonly data: string;
  /** Names, with commas between them. */
  readonly survivors: string;
  readonly yes?: boolean;
}

/** Resolves with what was done, or would be; rejects with one sentence. */
export async function recoverCluster(options: RecoverOptions): Promise<string> {
  await mustHoldStore(options.data);
  const clock = new SystemClock();
  const metrics = new MetricsRegistry(clock);
  const log = new PinoLog({ node: 'recover', levels: new LogLevels(clock, 'error') });
  const store = await openLevelDbStore(systemHost(log, metrics), {
    folder: `${options.data}/store`,
    durability: 'fsync',
  });
  try {
    const records = new StoreAgreementLog(store);
    const bytes = await records.load();
    if (bytes === undefined) throw new Error(`${options.data} holds no cluster state`);
    const survivors = options.survivors.split(',').map((name) => name.trim() as NodeId);
    const owner = await findStoreOwner(store);
    if (owner !== undefined && !survivors.includes(owner)) {
      throw new Error(`${options.data} is the store of ${owner}, which is not among the survivors`);
    }
    const lineage = randomBytes(16).toString('hex');
    const outcome = recover(decodeRecord(bytes), { survivors, lineage });
    const text = describe(outcome, survivors);
    if (outcome.kind !== 'recovered') throw new Error(text);
    if (options.yes !== true) return `${text}\n\nNothing was changed: add --yes to do it.`;
    await records.save(encodeRecord(outcome.record));
    return `${text}\n\nDone. Start this node; the other survivors follow when they hear from it.`;
  } finally {
    await store.close();
    metrics.close();
  }
}

/** To open a store where there is none makes one: in a misspelled folder, or where a disk should be mounted. */
async function mustHoldStore(dataFolder: string): Promise<void> {
  const folder = resolve(dataFolder, 'store');
  try {
    await stat(join(folder, 'CURRENT'));
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    if (isMissing) throw new Error(`${folder} holds no store`, { cause: error });
    throw error;
  }
}

function describe(outcome: RecoveryOutcome, survivors: readonly NodeId[]): string {
  switch (outcome.kind) {
    case 'not-member':
      return `${outcome.node} is not a member of the cluster`;
    case 'majority-survives':
      return (
        `${outcome.votes} of ${outcome.voters} votes survive, which is a majority: ` +
        'use `vertebra admin cluster force-remove` on a running node'
      );
    case 'not-planned':
      return `the cluster cannot go on with these nodes: ${outcome.reason}`;
    case 'recovered': {
      const { state } = outcome.record;
      return [
        `Survivors: ${survivors.join(', ')}`,
        `Removed for good: ${outcome.lost.join(', ')}`,
        `The cluster goes on with epoch ${state.epoch}, in a new lineage.`,
        '',
        'RISKS',
        '  Data of which only removed nodes held copies is lost, acknowledged or not.',
        '  Changes of the cluster, bucket types or properties that only they had agreed on are undone.',
        '  If they are alive and still serve clients, the cluster is split: stop them first.',
        '  Run this on ONE survivor only, the one with the highest epoch: two make two clusters.',
      ].join('\n');
    }
  }
}
