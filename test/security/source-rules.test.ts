/**
 * The source that decides is the one that a plain reading of the rules finds.
 */

import fc from 'fast-check';
import t from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import { contains, parseAddress, parseCidr, type Address } from '../../src/security/address.ts';
import { ALL, type Source } from '../../src/security/security-state.ts';
import { SourceRules } from '../../src/security/source-rules.ts';
import { anyAddressText, anySources, USERS } from './arbitrary-security.ts';

/** Judges each pair of candidates, and takes the one that loses to none. */
function expectedSource(
  sources: readonly Source[],
  user: string,
  address: Address,
): Source | undefined {
  const lengthOf = (source: Source): number => Number(source.cidr.split('/')[1]);
  const candidates = sources.filter((source) => {
    const cidr = parseCidr(source.cidr);
    const isMeant = source.user === ALL || source.user === user;
    return isMeant && cidr !== undefined && contains(cidr, address);
  });
  const beats = (left: Source, right: Source): boolean =>
    (left.user === ALL) === (right.user === ALL)
      ? lengthOf(left) > lengthOf(right)
      : right.user === ALL;
  return candidates.find((each) => !candidates.some((other) => beats(other, each)));
}

t.test('user before all, the narrowest network first, and the first match decides', (t) => {
  const anyName = fc.constantFrom(...USERS, 'stranger');
  fc.assert(
    fc.property(anySources, anyName, anyAddressText, (sources, user, addressText) => {
      const address = parseAddress(addressText);
      if (address === undefined) return false;
      const found = new SourceRules(sources).find(user, address);
      return found === expectedSource(sources, user, address);
    }),
    { numRuns: 300 },
  );
  t.end();
});

t.test('a password for one host is not got round by trust for its network', (t) => {
  const options = new Map();
  const rules = new SourceRules([
    { user: ALL, cidr: '10.0.0.0/8', method: 'trust', options },
    { user: ALL, cidr: '10.0.0.7/32', method: 'password', options },
    { user: 'ann' as ByteString, cidr: '0.0.0.0/0', method: 'certificate', options },
  ]);
  const methodOf = (user: string, text: string): string | undefined =>
    rules.find(user, parseAddress(text) ?? [])?.method;
  t.equal(methodOf('bob', '10.0.0.7'), 'password');
  t.equal(methodOf('bob', '10.0.0.8'), 'trust');
  t.equal(methodOf('ann', '10.0.0.7'), 'certificate', 'her own source is the first');
  t.equal(methodOf('bob', '11.0.0.1'), undefined);
  t.equal(methodOf('bob', '::1'), undefined);
  t.end();
});
