/**
 * Addresses are read strictly and written canonically, and a network holds what its bits say.
 */

import { BlockList, isIP } from 'node:net';
import fc from 'fast-check';
import t from 'tap';
import { cidrToString, contains, parseAddress, parseCidr } from '../../src/security/address.ts';

const anyAddress = fc.oneof(fc.ipV4(), fc.ipV6());

function lengthFor(address: string, bits: number): number {
  return address.includes(':') ? bits : bits % 33;
}

t.test('what the system reads as an address is read, and nothing else', (t) => {
  const anyText = fc.oneof(
    anyAddress,
    fc.stringMatching(/^[0-9a-f:.]{0,12}$/),
    fc.constantFrom('', ':', ':::', '1::2::3', '::1.2.3.4', '1.2.3.4::', '01.2.3.4', '1.2.3'),
  );
  fc.assert(
    fc.property(anyText, (text) => (parseAddress(text) !== undefined) === (isIP(text) !== 0)),
  );
  t.end();
});

t.test('a network holds the addresses that the system says it does', (t) => {
  fc.assert(
    fc.property(anyAddress, anyAddress, fc.nat(128), (network, other, bits) => {
      const length = lengthFor(network, bits);
      const cidr = parseCidr(`${network}/${length}`);
      if (cidr === undefined) return false;
      const family = (text: string): 'ipv4' | 'ipv6' => (text.includes(':') ? 'ipv6' : 'ipv4');
      const list = new BlockList();
      list.addSubnet(network, length, family(network));
      return [network, other].every((text) => {
        const address = parseAddress(text);
        if (address === undefined) return false;
        // The system holds mapped addresses in networks of either family; here they are IPv4.
        if (family(text) === 'ipv6' && address.length === 4) return true;
        if (family(network) === 'ipv6' && cidr.network.length === 4) return true;
        const isHeld = family(text) === family(network) && list.check(text, family(text));
        return contains(cidr, address) === isHeld;
      });
    }),
  );
  t.end();
});

t.test('a narrower network at the same address holds no more', (t) => {
  fc.assert(
    fc.property(anyAddress, anyAddress, fc.nat(127), (network, other, bits) => {
      const length = network.includes(':') ? bits : bits % 32;
      const [wide, narrow] = [length, length + 1].map((each) => parseCidr(`${network}/${each}`));
      const address = parseAddress(other);
      if (wide === undefined || narrow === undefined || address === undefined) return false;
      return wide.network.length !== narrow.network.length || !contains(narrow, address)
        ? true
        : contains(wide, address);
    }),
  );
  t.end();
});

t.test('the text of a network is that network, and one text alone', (t) => {
  fc.assert(
    fc.property(anyAddress, fc.nat(128), (address, bits) => {
      const cidr = parseCidr(`${address}/${lengthFor(address, bits)}`);
      if (cidr === undefined) return false;
      const text = cidrToString(cidr);
      const again = parseCidr(text);
      if (again === undefined || cidrToString(again) !== text) return false;
      // A URL's host is written as RFC 5952 has it, too.
      const [network = ''] = text.split('/');
      const host = network.includes(':') ? `[${network}]` : network;
      return (
        again.network.join() === cidr.network.join() && new URL(`http://${host}`).hostname === host
      );
    }),
  );
  t.end();
});

t.test('an IPv4 address mapped to IPv6 is that address', (t) => {
  t.same(parseAddress('::ffff:10.1.2.3'), parseAddress('10.1.2.3'));
  t.same(parseCidr('::ffff:10.1.2.3/104'), parseCidr('10.0.0.0/8'));
  t.same(parseAddress('fe80::1%eth0'), parseAddress('fe80::1'));
  const everyIpv6 = parseCidr('::/0');
  const ipv4 = parseAddress('10.1.2.3');
  t.notOk(everyIpv6 && ipv4 && contains(everyIpv6, ipv4));
  t.end();
});

t.test('what is no network is refused', (t) => {
  const texts = [
    '10.0.0.0',
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/8/8',
    '10.0.0/8',
    '/8',
    '::/-1',
    '::/',
  ];
  for (const text of texts) t.equal(parseCidr(text), undefined, text);
  t.end();
});
