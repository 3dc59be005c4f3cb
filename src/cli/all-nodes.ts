/**
 * `vertebra admin --all`: one question to every node of `cluster.yml`, and one table of what they say.
 *
 * The admin socket of a node is on its own machine and nowhere else. What a node on another machine tells
 * everyone over HTTP (`/metrics`) stands in for its answer where that says as much; else it says where to ask.
 * A node that does not answer is a row: the others are what one wants to see then.
 */

import { existsSync } from 'node:fs';
import type { NodeId } from '../base/names.ts';
import type { NodeConfig } from '../config/cluster-config.ts';
import { ALL_NODES_TABLES, type Series } from './all-nodes-tables.ts';
import { fetchText } from './fetch-text.ts';
import { textTable } from './text-table.ts';

/** `answer`: over its socket; `series`: from its `/metrics`. */
export type NodeAnswer = { readonly node: NodeId } & (
  { readonly answer: unknown } | { readonly series: Series } | { readonly error: string }
);

type AskOne = (node: NodeConfig) => Promise<unknown>;

const ELSEWHERE = 'its data folder is not on this machine: ask there';

/** All at once, in the order of the file. Rejects for a command that is for one node. */
export function askAllNodes(
  nodes: readonly NodeConfig[],
  command: string,
  askOne: AskOne,
): Promise<NodeAnswer[]> {
  const table = ALL_NODES_TABLES[command];
  if (table === undefined) {
    const known = Object.keys(ALL_NODES_TABLES).join(', ');
    throw new Error(`\`${command}\` is for one node; --all goes with ${known}, diag`);
  }
  return Promise.all(nodes.map((node) => answerOf(node, askOne, table.rowsOfSeries !== undefined)));
}

async function answerOf(
  node: NodeConfig,
  askOne: AskOne,
  isToldToAll: boolean,
): Promise<NodeAnswer> {
  const { name } = node;
  if (isOnThisMachine(node)) {
    try {
      return { node: name, answer: await askOne(node) };
    } catch (error) {
      return { node: name, error: messageOf(error) };
    }
  }
  if (!isToldToAll) return { node: name, error: ELSEWHERE };
  try {
    return { node: name, series: seriesOf(await fetchText(node, '/metrics')) };
  } catch (error) {
    return { node: name, error: messageOf(error) };
  }
}

export function isOnThisMachine({ dataDir }: NodeConfig): boolean {
  return existsSync(dataDir);
}

/** The table, and below it why those without an answer have none. */
export function allNodesText(command: string, answers: readonly NodeAnswer[]): string {
  const table = ALL_NODES_TABLES[command];
  if (table === undefined) throw new Error(`there is no table of ${command}`);
  const rows = answers.flatMap((each) => {
    if ('error' in each) return [[each.node, 'no answer']];
    const cells =
      'series' in each
        ? (table.rowsOfSeries?.(each.series) ?? [])
        : table.rowsOf(each.answer as never);
    return cells.map((row) => [each.node, ...row]);
  });
  return withReasons(textTable(['node', ...table.columns], rows), answers);
}

export function withReasons(
  text: string,
  answers: readonly ({ readonly node: NodeId } & { readonly error?: string })[],
): string {
  const reasons = answers.flatMap(({ node, error }) =>
    error === undefined ? [] : [`${node}: ${error}`],
  );
  return reasons.length === 0 ? text : `${text}\n\n${reasons.join('\n')}`;
}

/** As JSON has it: a map would be empty there. */
export function allNodesJson(answers: readonly NodeAnswer[]): unknown {
  return answers.map((each) =>
    'series' in each ? { node: each.node, metrics: Object.fromEntries(each.series) } : each,
  );
}

/** Each series of `/metrics` by its name, labels included and `vertebra_` left out. */
export function seriesOf(metrics: string): Series {
  return new Map(
    [...metrics.matchAll(/^vertebra_(\S+) (\S+)$/gm)].map(([, name = '', value]) => [
      name,
      Number(value),
    ]),
  );
}

function messageOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const told = cause instanceof Error ? cause : error;
  return told instanceof Error ? told.message : String(told);
}
