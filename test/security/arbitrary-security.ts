/**
 * Security states at random: few names, so that roles meet, groups form circles and grants overlap.
 */

import fc from 'fast-check';
import type { ByteString } from '../../src/base/bytes.ts';
import { cidrToString, parseCidr, type Cidr } from '../../src/security/address.ts';
import { grantId } from '../../src/security/grant-rules.ts';
import { PERMISSIONS, type Target } from '../../src/security/permission.ts';
import {
  ALL,
  type Grant,
  type SecurityState,
  type Source,
} from '../../src/security/security-state.ts';
import { sourceId } from '../../src/security/source-rules.ts';

export const USERS = ['ann', 'bob', 'cy'] as ByteString[];
export const GROUPS = ['g1', 'g2', 'g3', 'g4'] as ByteString[];

export const anyUser: fc.Arbitrary<ByteString> = fc.constantFrom(...USERS);
export const anyRole: fc.Arbitrary<ByteString> = fc.constantFrom(...USERS, ...GROUPS, ALL);
export const anyPermission = fc.constantFrom(...PERMISSIONS);

const anyName = fc.constantFrom('t', 'u', 'default') as fc.Arbitrary<ByteString>;

export const anyTarget: fc.Arbitrary<Target | undefined> = fc.oneof(
  fc.constant(undefined),
  fc.record({ type: anyName }),
  fc.record({ type: anyName, bucket: anyName }),
);

/** Few bits vary, so that networks hold each other. */
export const anyAddressText: fc.Arbitrary<string> = fc.oneof(
  fc
    .tuple(fc.constantFrom(10, 11), fc.constantFrom(0, 1, 128), fc.constantFrom(0, 255))
    .map(([first, second, last]) => `${first}.${second}.0.${last}`),
  fc
    .tuple(fc.constantFrom('fd00', 'fd01'), fc.constantFrom(0, 1))
    .map(([first, last]) => `${first}::${last}`),
);

export const anyCidr: fc.Arbitrary<Cidr> = fc
  .tuple(anyAddressText, fc.nat(128))
  .map(([address, length]) =>
    mustParse(`${address}/${address.includes(':') ? length : length % 33}`),
  );

export const anySources: fc.Arbitrary<readonly Source[]> = fc
  .array(
    fc.record({
      user: fc.constantFrom(...USERS, ALL),
      cidr: anyCidr.map(cidrToString),
      method: fc.constantFrom('trust', 'password', 'certificate'),
      options: fc.constant(new Map<ByteString, ByteString>()),
    }),
    { maxLength: 12 },
  )
  .map((sources) => sortedBy(sources as readonly Source[], sourceId));

export const anyGrants: fc.Arbitrary<readonly Grant[]> = fc
  .array(
    fc.record({
      role: anyRole,
      target: anyTarget,
      permissions: fc.subarray([...PERMISSIONS], { minLength: 1, maxLength: 4 }),
    }),
    { maxLength: 12 },
  )
  .map((grants) => sortedBy(grants, grantId));

const someGroups = fc.subarray(GROUPS);
const someOptions = fc
  .dictionary(fc.constantFrom('age', 'team'), fc.constantFrom('1', 'x y'), {
    maxKeys: 2,
  })
  .map(
    (options) =>
      new Map(Object.entries(options).sort(([left], [right]) => (left < right ? -1 : 1))) as Map<
        ByteString,
        ByteString
      >,
  );
const somePassword = fc.option(fc.constant({ salt: '0f'.repeat(16), hash: 'a1'.repeat(20) }), {
  nil: undefined,
});

export const anySecurity: fc.Arbitrary<SecurityState> = fc.record({
  isEnabled: fc.boolean(),
  users: fc
    .tuple(
      ...USERS.map(() =>
        fc.record({ groups: someGroups, password: somePassword, options: someOptions }),
      ),
    )
    .map((users) => new Map(users.map((user, index) => [USERS[index] as ByteString, user]))),
  groups: fc
    .tuple(...GROUPS.map(() => fc.record({ groups: someGroups, options: someOptions })))
    .map((groups) => new Map(groups.map((group, index) => [GROUPS[index] as ByteString, group]))),
  sources: anySources,
  grants: anyGrants,
});

function sortedBy<T>(all: readonly T[], idOf: (each: T) => ByteString): T[] {
  const byId = new Map(all.map((each) => [idOf(each), each]));
  return [...byId].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, each]) => each);
}

function mustParse(text: string): Cidr {
  const cidr = parseCidr(text);
  if (cidr === undefined) throw new Error(`no network: ${text}`);
  return cidr;
}
