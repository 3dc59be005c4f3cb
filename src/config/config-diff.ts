/**
 * Where configurations differ: what a file says, what it would be if nothing were said, and what a node was
 * started with.
 *
 * Settings are compared by what they mean: `60s` is `1m`. Nodes are told by their names; of them there are
 * no defaults worth telling. Values are raw here: whoever shows them hides what is secret.
 */

import { isDeepStrictEqual } from 'node:util';
import type { ClusterDocument } from './cluster-config.ts';
import { parseClusterDocument } from './config-file.ts';
import { parseDurationMs, parseSizeBytes } from './units.ts';

export interface SettingDifference {
  /** `limits.body`, `nodes[a@host].http_port`, `bucket_defaults.n_val`. */
  readonly key: string;
  /** Undefined: not set, at each of the three. */
  readonly default: unknown;
  readonly file: unknown;
  readonly running: unknown;
  /** The node runs with something else than the file says. */
  readonly isPending: boolean;
}

/** In the order of the file's document; `running`: of a node, if one was asked. */
export function configDifferences(
  file: ClusterDocument,
  running: ClusterDocument | undefined,
): SettingDifference[] {
  const [ofDefaults, ofFile] = [valuesOf(defaults()), valuesOf(file)];
  const ofRunning = running === undefined ? ofFile : valuesOf(running);
  return [...new Set([...ofFile.keys(), ...ofRunning.keys()])].flatMap((key) => {
    const values = {
      default: ofDefaults.get(key),
      file: ofFile.get(key),
      running: ofRunning.get(key),
    };
    const isPending = !isSame(values.file, values.running);
    const isChosen = !hasNoDefault(key) && !isSame(values.file, values.default);
    return isPending || isChosen ? [{ key, ...values, isPending }] : [];
  });
}

/** What must be given: it differs from nothing. */
function hasNoDefault(key: string): boolean {
  return key === 'cluster' || key.startsWith('nodes[');
}

function defaults(): ClusterDocument {
  return parseClusterDocument('the defaults', 'cluster: c\nnodes: [{ name: a@b, data_dir: d }]\n');
}

function valuesOf(document: ClusterDocument): Map<string, unknown> {
  const { nodes, ...rest } = document;
  const values = new Map<string, unknown>();
  gather(rest, '', values);
  for (const node of nodes) gather(node, `nodes[${node.name}].`, values);
  return values;
}

function gather(group: object, prefix: string, values: Map<string, unknown>): void {
  for (const [name, value] of Object.entries(group)) {
    const isGroup = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (isGroup) gather(value as object, `${prefix}${name}.`, values);
    else values.set(`${prefix}${name}`, value);
  }
}

function isSame(left: unknown, right: unknown): boolean {
  if (typeof left !== 'string' || typeof right !== 'string') return isDeepStrictEqual(left, right);
  return (
    left === right ||
    [parseDurationMs, parseSizeBytes].some((parse) => {
      const value = parse(left);
      return value !== undefined && value === parse(right);
    })
  );
}
