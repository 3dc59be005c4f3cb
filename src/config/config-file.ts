/**
 * Reading, printing and making configuration files.
 *
 * A file becomes a document (checked, with defaults, in the file's own words), and the document a
 * `ClusterConfig`. Beyond the schema, names must be unique, and so must ports on one host and data
 * folders: two nodes with one folder would destroy each other's data.
 */

import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { stringify } from 'yaml';
import { Fault } from '../base/fault.ts';
import type { PartialProperties } from '../object/bucket-properties.ts';
import { BUCKET_PROPERTIES_SCHEMA, BUCKET_TYPES_SCHEMA } from './bucket-property-schema.ts';
import { documentToConfig, hostOfNodeName, isAnyAddress } from './cluster-config.ts';
import type { ClusterConfig, ClusterDocument, NodeDocument } from './cluster-config.ts';
import { CLUSTER_SCHEMA } from './cluster-schema.ts';
import { checkDocument } from './document-check.ts';
import type { Problem } from './document-check.ts';
import { editDistance, findNearestName } from './nearest-name.ts';
import { checkReplication, replicates } from './replication-settings.ts';
import { YamlDocument } from './yaml-document.ts';

/** Rejects with a `config` fault whose message is fit for an operator. */
export function readConfigFile(path: string): ClusterConfig {
  return openConfigFile(path).config;
}

/** As `readConfigFile`, and the document that it is made of. */
export function openConfigFile(path: string): {
  readonly document: ClusterDocument;
  readonly config: ClusterConfig;
} {
  const document = parseClusterDocument(basename(path), readText(path));
  return { document, config: documentToConfig(document, dirname(resolve(path))) };
}

/** The document of a file with everything that is in force, defaults included, as YAML. */
export function effectiveConfig(path: string): string {
  return stringify(openConfigFile(path).document);
}

/** Checks `text`; `name` is how messages call it. */
export function parseClusterDocument(name: string, text: string): ClusterDocument {
  const yaml = new YamlDocument(name, text);
  const document = withDeleteMode(yaml.value());
  let problems = checkDocument(document, CLUSTER_SCHEMA);
  if (problems.length === 0) problems = checkNodes(document as ClusterDocument);
  if (problems.length === 0) problems = checkReplication(document as ClusterDocument);
  if (problems.length === 0) {
    const { bucket_defaults: defaults } = document as ClusterDocument;
    problems = checkPropertyNames(defaults, ['bucket_defaults']);
  }
  if (problems.length > 0) throw yaml.fault(problems);
  return document as ClusterDocument;
}

/** Tombstones stay by themselves where another cluster has yet to fetch them. */
function withDeleteMode(document: unknown): unknown {
  return replicates(document) ? { delete_mode: 'keep', ...(document as object) } : document;
}

/** The shape of `--bucket-types`: name → properties. */
export function readBucketTypesFile(path: string): ReadonlyMap<string, PartialProperties> {
  const yaml = new YamlDocument(basename(path), readText(path));
  const document = yaml.value();
  const problems = checkDocument(document, BUCKET_TYPES_SCHEMA);
  if (problems.length > 0) throw yaml.fault(problems);
  const types = new Map(Object.entries(document as Record<string, PartialProperties>));
  for (const [name, properties] of types) {
    problems.push(...checkBucketType(name, properties));
  }
  if (problems.length > 0) throw yaml.fault(problems);
  return types;
}

export interface DevOptions {
  readonly nodes: number;
  /** Node i, from 1, serves HTTP on this + 10·i + 8, Protocol Buffers on + 7, peers on + 9. */
  readonly basePort: number;
  /** Each node gets a folder in it. */
  readonly dataDir: string;
}

/** The text of a `cluster.yml` for nodes on this machine, named `dev1@127.0.0.1` and so on. */
export function devConfigText(options: DevOptions): string {
  const nodes = Array.from({ length: options.nodes }, (_, index) => {
    const first = options.basePort + 10 * (index + 1);
    return {
      name: `dev${index + 1}@127.0.0.1`,
      http_port: first + 8,
      pbc_port: first + 7,
      peer_port: first + 9,
      data_dir: resolve(options.dataDir, `dev${index + 1}`),
    };
  });
  const text = stringify({ cluster: 'dev', nodes });
  // The ports may have left their range: say so now, in the same words as for a file.
  parseClusterDocument('the development cluster', text);
  return text;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new Fault('config', `${path} cannot be read: ${reason}`, { cause });
  }
}

function checkNodes({ nodes, tls }: ClusterDocument): Problem[] {
  const problems: Problem[] = [];
  const takenBy = new Map<string, string>();
  const claim = (index: number, field: keyof NodeDocument, thing: string): void => {
    const name = nodes[index]?.name ?? '';
    const other = takenBy.get(thing);
    takenBy.set(thing, other ?? name);
    if (other === undefined) return;
    const sentence = `must be unique, but ${other} has ${String(nodes[index]?.[field])} already`;
    problems.push({ path: ['nodes', index, field], isAboutKey: false, sentence });
  };
  if (tls.client?.crl_file !== undefined && tls.client.ca_file === undefined) {
    const sentence = 'needs the authorities of ca_file';
    problems.push({ path: ['tls', 'client', 'crl_file'], isAboutKey: false, sentence });
  }
  for (const [index, node] of nodes.entries()) {
    const host = machineOf(node);
    claim(index, 'name', `name ${node.name}`);
    claim(index, 'http_port', `port ${host}:${node.http_port}`);
    if (node.https_port !== undefined) {
      claim(index, 'https_port', `port ${host}:${node.https_port}`);
      if (tls.client === undefined) {
        const sentence = 'needs the certificate and the key of tls.client';
        problems.push({ path: ['nodes', index, 'https_port'], isAboutKey: false, sentence });
      }
    }
    claim(index, 'pbc_port', `port ${host}:${node.pbc_port}`);
    claim(index, 'peer_port', `port ${host}:${node.peer_port}`);
    claim(index, 'data_dir', `folder ${host} ${resolve(node.data_dir)}`);
  }
  return problems;
}

/** What nodes share whose ports and folders must differ: an address that is bound, or the host itself. */
function machineOf({ name, host = hostOfNodeName(name), listen = host }: NodeDocument): string {
  return isAnyAddress(listen) ? host : listen;
}

function checkBucketType(name: string, properties: unknown): Problem[] {
  if (name === '' || name === 'default') {
    const sentence = 'is no name for a bucket type: it must not be empty or `default`';
    return [{ path: [name], isAboutKey: true, sentence }];
  }
  const problems = checkDocument(properties, BUCKET_PROPERTIES_SCHEMA).map((problem) => ({
    ...problem,
    path: [name, ...problem.path],
  }));
  if (problems.length > 0) return problems;
  return checkPropertyNames(properties as PartialProperties, [name]);
}

/** A name that is almost a known one is taken for a slip of the pen. */
function checkPropertyNames(properties: PartialProperties, path: readonly string[]): Problem[] {
  const known = Object.keys(BUCKET_PROPERTIES_SCHEMA.properties ?? {});
  return Object.keys(properties).flatMap((name) => {
    const nearest = known.includes(name) ? undefined : findNearestName(name, known);
    if (nearest === undefined || editDistance(name, nearest) > 2) return [];
    const sentence = `is not a bucket property; did you mean ${nearest}?`;
    return [{ path: [...path, name], isAboutKey: true, sentence }];
  });
}
