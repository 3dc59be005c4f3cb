/**
 * The audit log of one running node: what is recorded there, wired to where it happens.
 */

import { auditCommands } from '../admin/audit-commands.ts';
import { auditedCommands } from '../admin/audited-commands.ts';
import type { AdminCommand } from '../admin/admin-server.ts';
import { AuditLog } from '../audit/audit-log.ts';
import type { AuditEvent } from '../audit/audit-line.ts';
import { RefusalRecord } from '../audit/refusal-record.ts';
import { isFault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import type { ClusterConfig, NodeConfig } from '../config/cluster-config.ts';
import type { Refusal } from '../security/refusals.ts';

export class NodeAudit {
  readonly #host: Host;
  readonly #isLenient: boolean;
  readonly #log: AuditLog;
  readonly #refusals: RefusalRecord;

  constructor(host: Host, config: ClusterConfig['audit'], self: NodeConfig) {
    const { isLenient, ...files } = config;
    this.#host = host;
    this.#isLenient = isLenient;
    this.#log = new AuditLog(host, { folder: self.dataDir, node: self.name, ...files });
    this.#refusals = new RefusalRecord(host.clock, this.#log);
  }

  /** A client was refused. */
  readonly refused = (refusal: Refusal): void => this.#refusals.note(refusal);

  /** `commands` as they are recorded, and those that show the records. */
  around(commands: ReadonlyMap<string, AdminCommand>): Map<string, AdminCommand> {
    const { random } = this.#host;
    const audit = { sink: this.#log, random, isLenient: this.#isLenient };
    return new Map([...auditedCommands(commands, audit), ...auditCommands(this.#log)]);
  }

  /** The node serves whether it can be recorded or not. */
  start(): Promise<void> {
    return this.#tell({ event: 'node-started' });
  }

  async stop(): Promise<void> {
    this.#refusals.close();
    await this.#tell({ event: 'node-stopped' });
    await this.#log.close();
  }

  async #tell(event: AuditEvent): Promise<void> {
    try {
      await this.#log.append(event);
    } catch (error) {
      if (!isFault(error)) throw error;
    }
  }
}
