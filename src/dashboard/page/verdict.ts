/**
 * The cluster in one sentence, and what an operator should look at first.
 */

import { counted } from './amounts.ts';
import type { NodeView, Snapshot } from './snapshot.ts';

export type Level = 'well' | 'watch' | 'trouble';

export interface Verdict {
  readonly level: Level;
  readonly headline: string;
  /** What is behind it, the gravest first. */
  readonly reasons: readonly string[];
}

/** Of a member, in one word. */
export function levelOfNode(node: NodeView): Level {
  const { status, answersBy, isReady, heardBy, askedOf } = node;
  if (answersBy === undefined || isReady === false) {
    return status === 'down' || status === 'none' ? 'watch' : 'trouble';
  }
  const isMember = status === 'valid' || status === undefined;
  return isMember && heardBy === askedOf ? 'well' : 'watch';
}

export function verdictOf(snapshot: Snapshot): Verdict {
  const { nodes, alerts } = snapshot;
  const answering = nodes.filter(({ answersBy }) => answersBy !== undefined);
  if (answering.length === 0) {
    return { level: 'trouble', headline: 'No node answers', reasons: silences(nodes) };
  }
  const members = nodes.filter(({ status }) => status !== 'none');
  const serving = members.filter(({ isReady }) => isReady === true).length;
  const troubled = members.filter((node) => levelOfNode(node) === 'trouble');
  const pages = alerts.filter(({ isFiring, severity }) => isFiring && severity === 'page');
  const reasons = [
    ...troubled.map(({ node, reason, answersBy }) =>
      answersBy === undefined ? `${node} does not answer` : `${node} is not ready: ${reason}`,
    ),
    ...unheard(members),
    ...stepReasons(snapshot),
    ...owedReasons(nodes),
    ...alertReasons(snapshot),
  ];
  const all = `All ${counted(members.length, 'member')} serve`;
  const some = `${serving} of ${counted(members.length, 'member')} serve`;
  const headline =
    serving === members.length ? (members.length === 1 ? 'The one member serves' : all) : some;
  const isTrouble = troubled.length > 0 || pages.length > 0;
  const level = isTrouble ? 'trouble' : reasons.length > 0 ? 'watch' : 'well';
  return { level, headline, reasons };
}

function silences(nodes: readonly NodeView[]): string[] {
  return nodes.flatMap(({ node, silence }) =>
    silence === undefined ? [] : [`${node}: ${silence}`],
  );
}

function unheard(members: readonly NodeView[]): string[] {
  return members
    .filter(({ answersBy, heardBy, askedOf }) => answersBy !== undefined && heardBy < askedOf)
    .map(({ node, heardBy, askedOf }) => `${node} is heard by ${heardBy} of ${askedOf}`);
}

function stepReasons({ cluster }: Snapshot): string[] {
  if (cluster === undefined)
    return ['no admin socket is within reach: ring and moves are not told'];
  const { step, stagedCount } = cluster;
  return [
    ...(step === undefined
      ? []
      : [step.phase === 'turning' ? 'the ring is turning' : 'the ring is being filled']),
    ...(stagedCount === 0 ? [] : [`${counted(stagedCount, 'change')} staged, not committed`]),
  ];
}

function owedReasons(nodes: readonly NodeView[]): string[] {
  const owed = nodes.reduce((sum, { figures }) => sum + (figures.hints ?? 0), 0);
  return owed === 0 ? [] : [`${counted(owed, 'copy').replace(/copys$/, 'copies')} owed`];
}

function alertReasons({ alerts }: Snapshot): string[] {
  const firing = alerts.filter(({ isFiring }) => isFiring);
  const names = [...new Set(firing.map(({ name }) => name))];
  return names.length === 0 ? [] : [`${counted(names.length, 'alert')} would fire`];
}
