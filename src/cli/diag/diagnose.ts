/**
 * `vertebra admin diag`: looks at this machine with a node's eyes, and at the node if it runs.
 *
 * It is to be run on the node's machine. What it cannot see (another system than Linux, another user's
 * process) it leaves out rather than guesses at. All that it writes is one small file in the data folder, to
 * time the disk, which it removes.
 */

import { X509Certificate } from 'node:crypto';
import { open, readFile, rm, statfs } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { AdminRefusal } from '../../admin/admin-server.ts';
import { isFault } from '../../base/fault.ts';
import type { ClusterConfig, NodeConfig } from '../../config/cluster-config.ts';
import { readPems } from '../../transport/certificate-files.ts';
import { fail, type Finding } from './finding.ts';
import {
  judgeCertificate,
  judgeCiphers,
  judgeClocks,
  judgeCores,
  judgeFileSystem,
  judgeFreeSpace,
  judgeMemory,
  judgeOpenFiles,
  judgePorts,
  judgeSwap,
  judgeSyncs,
  type ClockFacts,
} from './machine-judge.ts';
import { clocksOfStatus, judgeAbsence, judgeNode, type NodeAnswers } from './node-judge.ts';

export interface Patient {
  readonly config: ClusterConfig;
  readonly self: NodeConfig;
  /** Asks the node; rejects with `AdminRefusal` if it is not running. */
  readonly query: (command: string) => Promise<unknown>;
}

const PROBES = 21;
const PROBE_BYTES = 4_096;
const PEER_TIMEOUT_MS = 2_000;

export async function diagnose(patient: Patient): Promise<Finding[]> {
  const { status, findings } = await findingsOfNode(patient);
  const ciphers = patient.config.clientTls?.ciphers;
  const measured = status === undefined ? [] : clocksOfStatus(status);
  return [
    ...findings,
    judgeClocks(measured.length > 0 ? measured : await clocksOf(patient)),
    ...(await findingsOfProcess(patient, status?.pid)),
    ...(await findingsOfDisk(patient)),
    judgePorts(patient.config.nodes, {
      self: patient.self,
      range: await textOf('/proc/sys/net/ipv4/ip_local_port_range'),
    }),
    ...findingsOfCertificates(patient.config),
    ...(ciphers === undefined ? [] : [judgeCiphers(ciphers)]),
  ];
}

async function findingsOfNode({
  query,
}: Patient): Promise<{ status: NodeAnswers['status'] | undefined; findings: Finding[] }> {
  try {
    const [status, readiness, cluster, hints, metrics] = await Promise.all(
      ['status', 'ringready', 'cluster status', 'hints', 'metrics'].map(query),
    );
    const answers = { status, readiness, cluster, hints, metrics } as NodeAnswers;
    return { status: answers.status, findings: judgeNode(answers, Date.now()) };
  } catch (error) {
    if (!(error instanceof AdminRefusal)) throw error;
    return { status: undefined, findings: [judgeAbsence(error.message)] };
  }
}

/** Of the node's process, or of this one, which the node's user would start it from. */
async function findingsOfProcess({ config }: Patient, pid = process.pid): Promise<Finding[]> {
  const meminfo = await textOf('/proc/meminfo');
  if (meminfo === '') return [];
  const groups = await controlGroupsOf(pid);
  const limits = await Promise.all(groups.map((group) => textOf(join(group, 'memory.max'))));
  const quotas = await Promise.all(groups.map((group) => textOf(join(group, 'cpu.max'))));
  const bounded = limits.map((text) => parseInt(text, 10)).filter((limit) => !Number.isNaN(limit));
  const groupLimitBytes = bounded.length === 0 ? undefined : Math.min(...bounded);
  return [
    judgeOpenFiles(await textOf(`/proc/${pid}/limits`), config.limits.connections),
    judgeMemory({ meminfo, groupLimitBytes }, config),
    judgeSwap(meminfo, await textOf('/proc/sys/vm/swappiness')),
    judgeCores(availableParallelism(), quotas.find((quota) => /^\d/.test(quota)) ?? ''),
  ];
}

/** The folders of a process's control group (version 2) and of those that it is in. */
async function controlGroupsOf(pid: number): Promise<string[]> {
  const [, path] = /^0::(\/.*)$/m.exec(await textOf(`/proc/${pid}/cgroup`)) ?? [];
  if (path === undefined) return [];
  const names = path.split('/').filter((name) => name !== '');
  const folders = names.map((_, index) => join('/sys/fs/cgroup', ...names.slice(0, index + 1)));
  return ['/sys/fs/cgroup', ...folders].reverse();
}

async function findingsOfDisk({ config, self }: Patient): Promise<Finding[]> {
  const folder = self.dataDir;
  try {
    const { blocks, bavail, bsize } = await statfs(folder);
    const mounts = await textOf('/proc/mounts');
    const facts = { folder, mounts, freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    return [
      ...(mounts === '' ? [] : [judgeFileSystem(facts)]),
      judgeFreeSpace(facts, config.disk.reserveBytes),
      judgeSyncs(await timeSyncs(join(folder, `.diag-${process.pid}`))),
    ];
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return [fail('data folder', reason, `${folder} must be there, and the node's own`)];
  }
}

async function timeSyncs(path: string): Promise<number[]> {
  const file = await open(path, 'wx', 0o600);
  try {
    const timesMs: number[] = [];
    const block = Buffer.alloc(PROBE_BYTES, 1);
    for (let index = 0; index < PROBES; index += 1) {
      const begunMs = performance.now();
      await file.write(block);
      await file.datasync();
      timesMs.push(performance.now() - begunMs);
    }
    return timesMs;
  } finally {
    await file.close();
    await rm(path, { force: true });
  }
}

/** As a node of this release reads them when it starts, whichever release runs. */
function findingsOfCertificates({ peerTls, clientTls }: ClusterConfig): Finding[] {
  const findings: Finding[] = [];
  const pemByPath = new Map<string, Buffer>();
  for (const files of [peerTls, clientTls]) {
    if (files === undefined) continue;
    try {
      const { cert, ca } = readPems(files);
      pemByPath.set(files.certFile, cert);
      if (files.caFile !== undefined && ca !== undefined) pemByPath.set(files.caFile, ca);
    } catch (error) {
      if (!isFault(error)) throw error;
      findings.push(fail('certificate', error.message, 'mend the file: no node starts with it'));
    }
  }
  for (const [path, pem] of pemByPath) {
    const { validTo } = new X509Certificate(pem);
    findings.push(judgeCertificate(path, new Date(validTo), Date.now()));
  }
  return findings;
}

/** By the dates that the others put on their answers to /ping: where the node says nothing. */
function clocksOf({ config, self }: Patient): Promise<ClockFacts[]> {
  const others = config.nodes.filter(({ name }) => name !== self.name);
  return Promise.all(
    others.map(async ({ name, host, httpPort }): Promise<ClockFacts> => {
      const begunMs = Date.now();
      const place = host.includes(':') ? `[${host}]` : host;
      const signal = AbortSignal.timeout(PEER_TIMEOUT_MS);
      const reply = await fetch(`http://${place}:${httpPort}/ping`, { signal }).catch(
        () => undefined,
      );
      const endedMs = Date.now();
      const dateMs = Date.parse(reply?.headers.get('date') ?? '');
      // The date is cut to its second.
      const offsetMs = dateMs + 500 - (begunMs + endedMs) / 2;
      const uncertainMs = 500 + (endedMs - begunMs) / 2;
      return { node: name, offsetMs: Number.isNaN(offsetMs) ? undefined : offsetMs, uncertainMs };
    }),
  );
}

/** Empty where there is no such file, or it is not for us. */
async function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
