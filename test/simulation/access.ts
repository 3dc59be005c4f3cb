/**
 * Access: an operator who adds users, grants and revokes, deletes users and grants again, one command
 * after the other, each to some node, whatever else happens meanwhile.
 *
 * The judge asks the gatekeeper of whoever acknowledged, and in the end every node's. What a command
 * that was acknowledged has said holds, unless a later one spoke of the same: a grant is there, what was
 * revoked or went with its user is not, and who gets a deleted user's name inherits nothing. A command
 * whose fate is unknown may take effect at any time, or never.
 */

import { utf8ToByteString, type ByteString } from '../../src/base/bytes.ts';
import { grant, revoke, setEnabled } from '../../src/security/access-changes.ts';
import type { Permission } from '../../src/security/permission.ts';
import { addUser, deleteUser } from '../../src/security/role-changes.ts';
import type { SecurityChange } from '../../src/security/security-change.ts';
import type { SecurityChangeOutcome } from '../../src/node/security-changes.ts';
import type { SecurityState } from '../../src/security/security-state.ts';
import type { SimulatedCluster, SimulatedNode } from './cluster.ts';
import type { SeededRandom } from './world.ts';

type Make = (security: SecurityState) => SecurityChange;
/**
 * `open`: it may be in the log of voters, and the next change that is agreed decides on it.
 * `loose`: the node may be at it still.
 */
type Fate = 'done' | 'not-done' | 'open' | 'loose';
type Said = 'granted' | 'denied';

/** Whether a user may do one thing in one bucket. */
interface Right {
  readonly user: ByteString;
  readonly bucket: ByteString;
  /** What may be so, by the last commands that spoke of it. */
  possible: ReadonlySet<Said>;
  /** What may come to be so at any time. */
  readonly loose: Set<Said>;
}

const TYPE = utf8ToByteString('default');
const PERMISSION: Permission = 'riak_kv.get';
const USERS = ['anna', 'bert'].map(utf8ToByteString);
/** Agreement gives up by itself before that, unless the node died. */
const PATIENCE_MS = 40_000;
const BUCKET_COUNT = 4;

export class Access {
  ackedCount = 0;
  /** Broken promises, found while it runs. */
  readonly violations: string[] = [];
  readonly #cluster: SimulatedCluster;
  readonly #intervalMs: number;
  readonly #random: SeededRandom;
  readonly #rights: Right[] = USERS.flatMap((user) =>
    Array.from({ length: BUCKET_COUNT }, (_, index) => {
      const bucket = utf8ToByteString(`b${index}`);
      return { user, bucket, possible: new Set<Said>(['denied']), loose: new Set<Said>() };
    }),
  );
  #isEnabled = false;
  #isOver = false;
  #work: Promise<void> = Promise.resolve();

  /** `intervalMs`: the mean pause between two commands. */
  constructor(cluster: SimulatedCluster, intervalMs: number) {
    this.#cluster = cluster;
    this.#intervalMs = intervalMs;
    this.#random = cluster.world.random.fork();
  }

  start(): void {
    this.#work = this.#commandOnAndOn();
  }

  /** Resolves when the last command that was begun is done. */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.#work;
  }

  /** Findings about what each node that serves says in the end. */
  judge(): string[] {
    return this.#cluster.nodes.flatMap((machine) => this.#judgeNode(machine));
  }

  #judgeNode({ id, node }: SimulatedNode): string[] {
    if (node?.readiness().isReady !== true) return [];
    const { gatekeeper } = node;
    if (!this.#isEnabled) return [];
    if (!gatekeeper.isEnabled()) return [`${id}: security was enabled and is not`];
    const findings: string[] = [];
    for (const { user, bucket, possible, loose } of this.#rights) {
      const client = { user, address: '127.0.0.1' };
      const denial = gatekeeper.denial(client, PERMISSION, { type: TYPE, bucket });
      const is = denial === undefined ? 'granted' : 'denied';
      if (possible.has(is) || loose.has(is)) continue;
      findings.push(`${id}: ${user} on ${bucket} was ${[...possible].join()} and is ${is}`);
    }
    return findings;
  }

  async #commandOnAndOn(): Promise<void> {
    const { world } = this.#cluster;
    for (;;) {
      if (this.#isOver) return;
      if (!this.#isEnabled) await this.#enable();
      else if (this.#random.chance(0.15)) await this.#replaceUser(this.#random.pick(USERS));
      else await this.#change(this.#random.pick(this.#rights));
      await world.sleep(this.#random.integer(2 * this.#intervalMs));
    }
  }

  async #enable(): Promise<void> {
    await this.#command(
      (security) => setEnabled(security, true),
      (fate) => {
        this.#isEnabled ||= fate === 'done';
      },
    );
    for (const user of USERS) await this.#command((security) => withUser(security, user));
  }

  /** Somebody else gets the name. */
  async #replaceUser(user: ByteString): Promise<void> {
    const rights = this.#rights.filter((right) => right.user === user);
    await this.#command(
      (security) => deleteUser(security, user),
      (fate) => {
        for (const right of rights) settle(right, fate, 'denied');
      },
    );
    await this.#command((security) => withUser(security, user));
  }

  async #change(right: Right): Promise<void> {
    const { user, bucket } = right;
    const isGrant = this.#random.chance(0.5);
    const request = {
      roles: [user],
      target: { type: TYPE, bucket },
      permissions: [PERMISSION],
    };
    await this.#command(
      (security) => (isGrant ? grant(security, request) : revoke(security, request)),
      (fate) => settle(right, fate, isGrant ? 'granted' : 'denied'),
    );
  }

  async #command(make: Make, settle: (fate: Fate) => void = () => undefined): Promise<void> {
    const { nodes, world } = this.#cluster;
    const serving = nodes.filter(({ node }) => node?.readiness().isReady === true);
    if (serving.length === 0) return;
    const machine = this.#random.pick(serving);
    const changes = machine.node?.cluster().securityChanges;
    if (changes === undefined) return;
    const fate = await Promise.race([
      machine.ask(() => changes.change('simulation', make)).then(fateOf),
      world.sleep(PATIENCE_MS).then(() => 'loose' as const),
    ]);
    settle(fate);
    if (fate !== 'done') return;
    this.ackedCount += 1;
    // Who says so knows all that was said before.
    this.violations.push(...this.#judgeNode(machine));
  }
}

function fateOf(outcome: SecurityChangeOutcome): Fate {
  if (outcome.kind === 'timeout') return outcome.mayTakeEffect ? 'open' : 'not-done';
  return outcome.kind === 'changed' || outcome.kind === 'unchanged' ? 'done' : 'not-done';
}

/** A user of that name, whether there was one or not. */
function withUser(security: SecurityState, name: ByteString): SecurityChange {
  if (security.users.has(name)) return { kind: 'changed', security };
  return addUser(security, { name, groups: [], options: new Map(), password: undefined });
}

function settle(right: Right, fate: Fate, said: Said): void {
  if (fate === 'done') right.possible = new Set([said]);
  else if (fate === 'open') right.possible = new Set([...right.possible, said]);
  else if (fate === 'loose') right.loose.add(said);
}
