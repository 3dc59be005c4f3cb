/**
 * Addresses and networks: IPv4 and IPv6, read strictly, and CIDR containment.
 *
 * An IPv4 address mapped to IPv6 (`::ffff:a.b.c.d`, RFC 4291) is that IPv4 address, since a socket for
 * both families shows it so. Otherwise the families are apart: `::/0` holds no IPv4 address. Text is
 * written as RFC 5952 has it, so that equal networks have equal text.
 */

/** 4 bytes or 16. */
export type Address = readonly number[];

export interface Cidr {
  /** The bits after the prefix are 0. */
  readonly network: Address;
  readonly prefixLength: number;
}

const MAPPED_PREFIX: Address = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
const MAPPED_PREFIX_LENGTH = 96;

/** A zone (`%eth0`) is left out. */
export function parseAddress(text: string): Address | undefined {
  const zone = text.indexOf('%');
  const address = readAddress(zone < 0 ? text : text.slice(0, zone));
  return address === undefined ? undefined : unmap(address);
}

/** `ADDRESS/LENGTH`; what follows the prefix is dropped. */
export function parseCidr(text: string): Cidr | undefined {
  const [addressText = '', lengthText = '', ...more] = text.split('/');
  const address = readAddress(addressText);
  if (address === undefined || more.length > 0 || !/^\d{1,3}$/.test(lengthText)) return undefined;
  const prefixLength = Number(lengthText);
  if (prefixLength > address.length * 8) return undefined;
  if (prefixLength >= MAPPED_PREFIX_LENGTH && isMapped(address)) {
    return cidrOf(unmap(address), prefixLength - MAPPED_PREFIX_LENGTH);
  }
  return cidrOf(address, prefixLength);
}

export function cidrToString({ network, prefixLength }: Cidr): string {
  const text = network.length === 4 ? network.join('.') : groupsToString(groupsOf(network));
  return `${text}/${prefixLength}`;
}

export function contains({ network, prefixLength }: Cidr, address: Address): boolean {
  if (network.length !== address.length) return false;
  return network.every((byte, index) => byte === masked(address[index] ?? 0, prefixLength, index));
}

function cidrOf(address: Address, prefixLength: number): Cidr {
  return {
    network: address.map((byte, index) => masked(byte, prefixLength, index)),
    prefixLength,
  };
}

/** The byte at `index` with the bits after the prefix cleared. */
function masked(byte: number, prefixLength: number, index: number): number {
  const kept = Math.min(8, Math.max(0, prefixLength - index * 8));
  return byte & (0xff00 >> kept) & 0xff;
}

function isMapped(address: Address): boolean {
  return address.length === 16 && MAPPED_PREFIX.every((byte, index) => byte === address[index]);
}

function unmap(address: Address): Address {
  return isMapped(address) ? address.slice(MAPPED_PREFIX.length) : address;
}

function readAddress(text: string): Address | undefined {
  return text.includes(':') ? readIpv6(text) : readIpv4(text);
}

function readIpv4(text: string): Address | undefined {
  const parts = text.split('.');
  // A leading zero means octal to some, so it is refused.
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part))) {
    return undefined;
  }
  const bytes = parts.map(Number);
  return bytes.every((byte) => byte <= 255) ? bytes : undefined;
}

function readIpv6(text: string): Address | undefined {
  const sides = text.split('::');
  if (sides.length > 2) return undefined;
  const [head, tail] = [readGroups(sides[0], sides.length === 1), readGroups(sides[1], true)];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 16 - head.length - tail.length;
  // `::` stands for one group at least.
  if (sides.length === 1 ? missing !== 0 : missing < 2) return undefined;
  return [...head, ...Array.from({ length: missing }, () => 0), ...tail];
}

/** Bytes of groups of 16 bits; the last two of an address may be written as IPv4. */
function readGroups(text: string | undefined, mayEndAsIpv4: boolean): number[] | undefined {
  if (text === undefined || text === '') return [];
  const bytes: number[] = [];
  const groups = text.split(':');
  for (const [index, group] of groups.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
      continue;
    }
    const isLast = index === groups.length - 1;
    const ipv4 = isLast && mayEndAsIpv4 ? readIpv4(group) : undefined;
    if (ipv4 === undefined) return undefined;
    bytes.push(...ipv4);
  }
  return bytes.length <= 16 ? bytes : undefined;
}

function groupsOf(address: Address): number[] {
  return Array.from({ length: 8 }, (_, index) => {
    return ((address[index * 2] ?? 0) << 8) | (address[index * 2 + 1] ?? 0);
  });
}

/** The longest run of two zeros or more, the first of equals, becomes `::`. */
function groupsToString(groups: readonly number[]): string {
  let [runStart, runLength] = [0, 0];
  for (let start = 0; start < groups.length; start += 1) {
    let end = start;
    while (groups[end] === 0) end += 1;
    if (end - start > runLength) [runStart, runLength] = [start, end - start];
  }
  const hex = (part: readonly number[]): string => part.map((each) => each.toString(16)).join(':');
  if (runLength < 2) return hex(groups);
  return `${hex(groups.slice(0, runStart))}::${hex(groups.slice(runStart + runLength))}`;
}
