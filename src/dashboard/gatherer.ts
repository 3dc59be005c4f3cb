/**
 * Gathers the cluster: asks every node, one round at a time, and makes one snapshot of what they
 * say.
 *
 * Whom to ask is what the configuration names and what members the cluster reports beside; a node
 * that says nothing is in the snapshot, silent. All that is remembered from round to round is
 * bounded by the nodes there are.
 */

import type { ClusterReport, MemberReport } from '../admin/cluster-status.ts';
import { AlertWatch } from './alert-watch.ts';
import type { AlertFacts } from './alert-rules.ts';
import { readMetrics, type MetricsReading } from './metrics-reading.ts';
import { askOf, type NodeAnswer, type NodeSource, type SlowAnswers } from './node-source.ts';
import { nodeView } from './node-view.ts';
import type { ClusterView, NodeView, RingView, Snapshot } from './page/snapshot.ts';
import { RefusedShare } from './refused-share.ts';
import { refusalsOf, WATCHED_COUNTERS } from './refusal-counters.ts';
import { hotKeysView, slowLogView } from './request-views.ts';
import { readRing, type RingReading } from './ring-reading.ts';
import { RiseWatch } from './rise-watch.ts';

export interface GathererOptions {
  /** Those that the configuration names. */
  readonly sources: readonly NodeSource[];
  /** To a member that it does not name. */
  readonly sourceOf: (member: Pick<MemberReport, 'node' | 'host' | 'httpPort'>) => NodeSource;
  readonly showsKeys: boolean;
  /** Monotonic. */
  readonly nowMs: () => number;
  readonly wallMs: () => number;
}

/** What is remembered of a node. */
interface Memory {
  reading: MetricsReading | undefined;
  slow: SlowAnswers | undefined;
  slowAtMs: number;
  readonly refused: RefusedShare;
}

interface Told {
  readonly source: NodeSource;
  readonly report: ClusterReport;
}

const NODES_MAX = 256;
const SLOW_MS = 10_000;
const LATE_MS = 500;

export class Gatherer {
  readonly #options: GathererOptions;
  readonly #memories = new Map<string, Memory>();
  readonly #rises = new RiseWatch(WATCHED_COUNTERS);
  readonly #alerts = new AlertWatch();
  #members: ClusterReport['members'] = [];
  #ring: RingReading | undefined;
  #teller: NodeSource | undefined;

  constructor(options: GathererOptions) {
    this.#options = options;
  }

  /** The node that knows the ring best, by the last round. */
  get teller(): NodeSource | undefined {
    return this.#teller;
  }

  /** Never rejects for what a node does. */
  async round(): Promise<Snapshot> {
    const { nowMs, wallMs, showsKeys } = this.#options;
    const begunMs = nowMs();
    const sources = this.#sources();
    const answers = await Promise.all(
      sources.map((source) => askOf(source, this.#isSlowTurn(source.node, begunMs))),
    );
    const answerByNode = new Map(
      sources.map(({ node }, index) => [node, answers[index] as NodeAnswer]),
    );
    const told = tellerOf(sources, answerByNode);
    this.#teller = told?.source;
    if (told !== undefined) {
      this.#members = told.report.members;
      this.#ring = await this.#readRing(told);
    }
    const readings = this.#remember(answerByNode);
    const nodes = this.#nodeViews(answerByNode, { told, readings });
    const slowByNode = new Map(
      nodes.flatMap(({ node, answersBy }) => {
        const slow = answersBy === 'socket' ? this.#memories.get(node)?.slow : undefined;
        return slow === undefined ? [] : [[node, slow] as const];
      }),
    );
    return {
      atMs: wallMs(),
      tookMs: nowMs() - begunMs,
      cluster: told && clusterView(told),
      ring: told && this.#ring && ringView(this.#ring, nodes),
      nodes,
      alerts: this.#alerts.judge(this.#alertFacts(nodes)),
      refusals: refusalsOf(
        this.#rises,
        nodes.map(({ node }) => node),
        nowMs(),
      ),
      hotKeys: hotKeysView(slowByNode),
      slowLog: slowLogView(slowByNode),
      showsKeys,
    };
  }

  /** The nodes that can be asked over their admin sockets, by the last round. */
  socketSources(): readonly NodeSource[] {
    return this.#sources().filter(({ node }) => this.#memories.get(node)?.slow !== undefined);
  }

  #sources(): NodeSource[] {
    const named = new Map(this.#options.sources.map((source) => [source.node, source]));
    for (const member of this.#members) {
      if (!named.has(member.node)) named.set(member.node, this.#options.sourceOf(member));
    }
    return [...named.values()].slice(0, NODES_MAX);
  }

  #isSlowTurn(node: string, nowMs: number): boolean {
    const memory = this.#memories.get(node);
    return memory?.slow === undefined || nowMs - memory.slowAtMs >= SLOW_MS - LATE_MS;
  }

  async #readRing({ source, report }: Told): Promise<RingReading | undefined> {
    const { epoch, ringSize, step } = report;
    if (this.#ring?.epoch === epoch && this.#ring.owners.length === ringSize) return this.#ring;
    const members = report.members.map(({ node }) => node);
    try {
      return await readRing(source, { epoch, ringSize, members, isStepOpen: step !== undefined });
    } catch {
      // The members have changed meanwhile, or the node is gone: the next round asks again.
      return undefined;
    }
  }

  /** The readings of this round; those of the last one stay until the views are made. */
  #remember(answers: ReadonlyMap<string, NodeAnswer>): Map<string, MetricsReading> {
    const atMs = this.#options.nowMs();
    const readings = new Map<string, MetricsReading>();
    for (const node of this.#memories.keys()) if (!answers.has(node)) this.#memories.delete(node);
    this.#rises.keepOnly(new Set(answers.keys()));
    for (const [node, answer] of answers) {
      const memory = this.#memories.get(node) ?? newMemory();
      this.#memories.set(node, memory);
      if (answer.by === 'nothing') continue;
      const reading = readMetrics(answer.metrics, atMs);
      readings.set(node, reading);
      this.#rises.note(node, reading);
      memory.refused.note(reading);
      if (answer.by === 'socket' && answer.slow !== undefined) {
        memory.slow = answer.slow;
        memory.slowAtMs = atMs;
      }
    }
    return readings;
  }

  #nodeViews(
    answers: ReadonlyMap<string, NodeAnswer>,
    {
      told,
      readings,
    }: { readonly told: Told | undefined; readonly readings: ReadonlyMap<string, MetricsReading> },
  ): NodeView[] {
    const members = new Map<string, MemberReport>(
      told?.report.members.map((member) => [member.node, member]),
    );
    const order = [...members.keys(), ...[...answers.keys()].filter((node) => !members.has(node))];
    const [nowMs, wallMs] = [this.#options.nowMs(), this.#options.wallMs()];
    return order.flatMap((node) => {
      const answer = answers.get(node) ?? { by: 'nothing', silence: 'it has not been asked yet' };
      const memory = this.#memories.get(node);
      const reading = readings.get(node);
      const view = nodeView({
        node,
        answer,
        reading,
        readingBefore: memory?.reading,
        slow: answer.by === 'socket' ? memory?.slow : undefined,
        rounds: this.#rises.riseOf(node, 'anti_entropy_rounds_total'),
        member: told === undefined ? undefined : (members.get(node) ?? 'none'),
        hearing: hearingOf(node, answers),
        wallMs,
        nowMs,
      });
      if (memory !== undefined) memory.reading = reading;
      return [view];
    });
  }

  #alertFacts(nodes: readonly NodeView[]): AlertFacts[] {
    const nowMs = this.#options.nowMs();
    const wallSeconds = this.#options.wallMs() / 1_000;
    const epochs = nodes.flatMap(({ figures }) => figures.epoch ?? []);
    const newestEpoch = epochs.length === 0 ? undefined : Math.max(...epochs);
    return nodes
      .filter(({ status }) => status !== 'none')
      .map(({ node, answersBy }) => {
        const memory = this.#memories.get(node);
        return {
          node,
          isSilent: answersBy === undefined,
          value: (name) => memory?.reading?.values.get(name),
          largest: (name) => memory?.reading?.largest.get(name),
          rise: (counter) => this.#rises.riseOf(node, counter),
          refusedRatio: memory?.refused.share,
          newestEpoch,
          nowMs,
          wallSeconds,
        };
      });
  }
}

function newMemory(): Memory {
  return { reading: undefined, slow: undefined, slowAtMs: -Infinity, refused: new RefusedShare() };
}

/**
 * A node whose state most of those that answer share, and of such the newest: one that has not joined yet, or
 * has left, knows only itself or what was.
 */
function tellerOf(
  sources: readonly NodeSource[],
  answers: ReadonlyMap<string, NodeAnswer>,
): Told | undefined {
  const told = sources.flatMap((source) => {
    const answer = answers.get(source.node);
    if (answer?.by !== 'socket') return [];
    const { cluster: report, status } = answer.socket;
    const state = [report.epoch, ...report.members.map(({ node }) => node)].join(' ');
    return [{ source, report, state, isReady: status.isReady }];
  });
  const votes = new Map<string, number>();
  for (const { state } of told) votes.set(state, (votes.get(state) ?? 0) + 1);
  told.sort(
    (left, right) =>
      (votes.get(right.state) ?? 0) - (votes.get(left.state) ?? 0) ||
      right.report.epoch - left.report.epoch ||
      Number(right.isReady) - Number(left.isReady),
  );
  return told[0];
}

/** By the others that were asked. */
function hearingOf(
  node: string,
  answers: ReadonlyMap<string, NodeAnswer>,
): { readonly heardBy: number; readonly askedOf: number } {
  let [heardBy, askedOf] = [0, 0];
  for (const [other, answer] of answers) {
    if (other === node || answer.by !== 'socket') continue;
    const seen = answer.socket.status.members.find(({ id }) => id === node);
    if (seen === undefined) continue;
    askedOf += 1;
    if (seen.isUp) heardBy += 1;
  }
  return { heardBy, askedOf };
}

function clusterView({ source, report }: Told): ClusterView {
  const { cluster, epoch, ringSize, staged, step } = report;
  return {
    name: cluster,
    epoch,
    ringSize,
    toldBy: source.node,
    stagedCount: staged.length,
    step: step && { phase: step.phase, unfilled: step.unfilled },
  };
}

function ringView({ owners, nextOwners }: RingReading, nodes: readonly NodeView[]): RingView {
  const indexes = new Map(nodes.map(({ node }, index) => [node, index]));
  const indexOf = (node: string | undefined): number =>
    node === undefined ? -1 : (indexes.get(node) ?? -1);
  return { owners: owners.map(indexOf), nextOwners: nextOwners?.map(indexOf) };
}
