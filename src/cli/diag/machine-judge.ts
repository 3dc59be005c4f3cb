/**
 * What the machine offers a node, judged. Pure: the texts of the system's files and numbers in, findings
 * out, so that every verdict can be tested where the trouble is not at hand.
 */

import { isAnyAddress, type ClusterConfig, type NodeConfig } from '../../config/cluster-config.ts';
import { fail, ok, warn, type Finding } from './finding.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

/** LevelDB's tables and the value log's segments that are held open, links, and room for the rest. */
const STORE_FILES = 2_000;
/** JavaScript's heap and code, beside caches and buffers. */
const PROCESS_BYTES = 512 * MIB;

/** `limits`: /proc/PID/limits of the node. */
export function judgeOpenFiles(limits: string, connectionsMax: number): Finding {
  const [, soft = ''] = /^Max open files\s+(\S+)/m.exec(limits) ?? [];
  const limit = soft === 'unlimited' ? Infinity : Number(soft);
  // Each of the two client ports lets in so many.
  const needed = STORE_FILES + 2 * connectionsMax;
  if (soft === '' || Number.isNaN(limit)) return ok('open files', 'the limit is not known here');
  const found = `limit ${soft}, up to ${needed} are used`;
  const advice = `raise it: LimitNOFILE=${needed} in the unit, or ulimit -n ${needed}`;
  if (limit < STORE_FILES) return fail('open files', found, advice);
  return limit < needed ? warn('open files', found, advice) : ok('open files', found);
}

/** `meminfo`: /proc/meminfo; `swappiness`: the kernel's setting. */
export function judgeSwap(meminfo: string, swappiness: string): Finding {
  const total = fieldBytes(meminfo, 'SwapTotal');
  if (total === 0) return ok('swap', 'none');
  const used = total - fieldBytes(meminfo, 'SwapFree');
  const found = `${sizeText(total)}, ${sizeText(used)} used, swappiness ${swappiness.trim()}`;
  if (Number(swappiness) <= 1 && used === 0) return ok('swap', found);
  return warn(
    'swap',
    found,
    'a node that waits for swap looks dead: swapoff -a, or vm.swappiness=1',
  );
}

export interface MemoryFacts {
  readonly meminfo: string;
  /** The least limit of the node's control groups in bytes; undefined: none. */
  readonly groupLimitBytes: number | undefined;
}

export function judgeMemory(facts: MemoryFacts, config: Pick<ClusterConfig, 'store'>): Finding {
  const totalBytes = fieldBytes(facts.meminfo, 'MemTotal');
  const limitBytes = Math.min(totalBytes, facts.groupLimitBytes ?? Infinity);
  const { cacheSizeBytes, writeBufferSizeBytes } = config.store;
  const neededBytes = cacheSizeBytes + 2 * writeBufferSizeBytes + PROCESS_BYTES;
  const whose = limitBytes < totalBytes ? 'limit of its control group' : 'of the machine';
  const found = `${sizeText(limitBytes)} ${whose}, about ${sizeText(neededBytes)} needed`;
  const advice = 'give it more, or lower store.cache and store.write_buffer';
  if (limitBytes < neededBytes) return fail('memory', found, advice);
  return limitBytes < 1.5 * neededBytes ? warn('memory', found, advice) : ok('memory', found);
}

/** `quota`: cpu.max of the node's control group, or empty. */
export function judgeCores(cores: number, quota: string): Finding {
  const [, allowed, period] = /^(\d+) (\d+)/.exec(quota) ?? [];
  const share = allowed === undefined ? cores : Math.min(cores, Number(allowed) / Number(period));
  const found = `${Number(share.toFixed(1))} of ${cores}`;
  if (share >= 2) return ok('cores', found);
  return warn('cores', found, 'one is for requests, another for the disk: give the node two');
}

export interface DiskFacts {
  readonly folder: string;
  /** /proc/mounts. */
  readonly mounts: string;
  readonly freeBytes: number;
  readonly totalBytes: number;
}

const NETWORK_SYSTEMS = /^(nfs|cifs|smb|9p|fuse\.(?!fuseblk)|ceph|gluster)/;

export function judgeFileSystem({ folder, mounts }: Pick<DiskFacts, 'folder' | 'mounts'>): Finding {
  const mount = mounts
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, point = '']) => isBelow(folder, point.replaceAll('\\040', ' ')))
    .reduce<readonly string[]>(
      (best, each) => ((each[1] ?? '').length >= (best[1] ?? '').length ? each : best),
      [],
    );
  const [, point = 'unknown', type = 'unknown'] = mount;
  const found = `${type} at ${point}`;
  const check = 'file system';
  if (type === 'tmpfs' || type === 'ramfs') {
    return fail(check, found, 'it is memory: all of it is gone with the machine; use a disk');
  }
  if (NETWORK_SYSTEMS.test(type)) {
    return warn(check, found, 'syncs over a network are slow or not kept: use a disk of its own');
  }
  if (type === 'overlay') {
    return warn(check, found, 'a layer of a container goes with it: mount a volume');
  }
  return ok(check, found);
}

export function judgeFreeSpace(facts: DiskFacts, reserveBytes: number): Finding {
  const { freeBytes, totalBytes } = facts;
  const found = `${sizeText(freeBytes)} of ${sizeText(totalBytes)}, reserve ${sizeText(reserveBytes)}`;
  const advice = 'add room or nodes: below disk.reserve the node takes no new data';
  if (freeBytes <= reserveBytes) return fail('free space', found, advice);
  const isScarce = freeBytes < 2 * reserveBytes || freeBytes < totalBytes / 5;
  return isScarce ? warn('free space', found, advice) : ok('free space', found);
}

/** `timesMs`: of small writes, each synced. */
export function judgeSyncs(timesMs: readonly number[]): Finding {
  const sorted = [...timesMs].sort((left, right) => left - right);
  const [median, slowest] = [sorted[sorted.length >> 1] ?? 0, sorted.at(-1) ?? 0];
  const found = `${median.toFixed(1)} ms, slowest of ${sorted.length} ${slowest.toFixed(1)} ms`;
  const advice = 'every acknowledged write waits for one: use a faster disk, of the node alone';
  if (median > 100) return fail('disk sync', found, advice);
  return median > 10 || slowest > 500 ? warn('disk sync', found, advice) : ok('disk sync', found);
}

/** `range`: the ports that the system gives to outgoing connections, `32768 60999`. */
export function judgePorts(
  nodes: readonly NodeConfig[],
  { self, range }: { readonly self: NodeConfig; readonly range: string },
): Finding {
  const users = new Map<string, string[]>();
  for (const node of nodes) {
    for (const port of portsOf(node)) {
      const host = isAnyAddress(node.listenHost) ? node.host : node.listenHost;
      const place = `${host}:${port}`;
      users.set(place, [...(users.get(place) ?? []), node.name]);
    }
  }
  const shared = [...users].filter(([, names]) => names.length > 1 && names.includes(self.name));
  if (shared.length > 0) {
    const found = shared.map(([place, names]) => `${place} of ${names.join(' and ')}`).join('; ');
    return fail('ports', found, 'give each its own');
  }
  const [first = Infinity, last = 0] = range.trim().split(/\s+/).map(Number);
  const taken = portsOf(self).filter((port) => port >= first && port <= last);
  const found = portsOf(self).join(', ');
  if (taken.length === 0) return ok('ports', found);
  return warn(
    'ports',
    `${taken.join(', ')} may be given to an outgoing connection`,
    `choose others, or net.ipv4.ip_local_reserved_ports=${taken.join(',')}`,
  );
}

export function judgeCertificate(path: string, validTo: Date, nowMs: number): Finding {
  const days = Math.floor((validTo.getTime() - nowMs) / 86_400_000);
  const found = `${path} until ${validTo.toISOString().slice(0, 10)}`;
  const advice = 'put a new one in its place: it is taken within a minute, or at SIGHUP';
  if (days < 0) return fail('certificate', found, advice);
  return days < 30 ? warn('certificate', found, advice) : ok('certificate', found);
}

/** `ciphers`: those of `tls.client`. */
export function judgeCiphers(ciphers: string): Finding {
  if (!ciphers.includes('@SECLEVEL=0')) return ok('ciphers', 'certificates must be strong');
  return warn(
    'ciphers',
    '@SECLEVEL=0: a certificate may be signed with SHA-1 or have a short key',
    'whoever forges one is taken for its user: leave the level away once all have strong ones',
  );
}

export interface ClockFacts {
  readonly node: string;
  /** Its clock less ours; undefined: it did not say. */
  readonly offsetMs: number | undefined;
  readonly uncertainMs: number;
}

/** Beyond this, writes of one second may be ordered otherwise than they were made. */
const OFFSET_MAX_MS = 500;
const OFFSET_FAR_MS = 10_000;

/** Each is judged by the least that its offset may be. */
export function judgeClocks(peers: readonly ClockFacts[]): Finding {
  const known = peers.flatMap(({ node, offsetMs, uncertainMs }) =>
    offsetMs === undefined
      ? []
      : [{ node, leastMs: Math.max(0, Math.abs(offsetMs) - uncertainMs), uncertainMs }],
  );
  if (known.length === 0) return ok('clocks', 'no other node to compare with');
  const off = known.filter(({ leastMs }) => leastMs > OFFSET_MAX_MS);
  if (off.length === 0) {
    const widestMs = Math.max(...known.map(({ uncertainMs }) => uncertainMs));
    const within = ((OFFSET_MAX_MS + 2 * widestMs) / 1_000).toFixed(1);
    return ok('clocks', `compared with ${known.length}, all within ${within} s`);
  }
  const found = off
    .map(({ node, leastMs }) => `${node} is off by ${(leastMs / 1_000).toFixed(1)} s`)
    .join('; ');
  const advice = 'run NTP everywhere: where a bucket keeps one value, the newest stamp wins';
  const isFar = off.some(({ leastMs }) => leastMs >= OFFSET_FAR_MS);
  return isFar ? fail('clocks', found, advice) : warn('clocks', found, advice);
}

function portsOf({ httpPort, httpsPort, pbcPort, peerPort }: NodeConfig): number[] {
  return [httpPort, pbcPort, peerPort, ...(httpsPort === undefined ? [] : [httpsPort])];
}

function isBelow(folder: string, point: string): boolean {
  return point !== '' && (point === '/' || folder === point || folder.startsWith(`${point}/`));
}

function fieldBytes(meminfo: string, name: string): number {
  const [, kibibytes = '0'] = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(meminfo) ?? [];
  return Number(kibibytes) * 1024;
}

function sizeText(bytes: number): string {
  return bytes >= GIB ? `${(bytes / GIB).toFixed(1)} GiB` : `${(bytes / MIB).toFixed(0)} MiB`;
}
