/**
 * Names are Riak's: the same characters, the same reserved words, lower-cased where operators type.
 */

import t from 'tap';
import { utf8ToByteString, type ByteString } from '../../src/base/bytes.ts';
import { isPermission } from '../../src/security/permission.ts';
import { nameFault, roleNameOf } from '../../src/security/role-names.ts';

t.test('each character is permitted or not by its code point', (t) => {
  const isIllegal = (code: number): boolean =>
    code <= 44 || (code >= 58 && code <= 63) || (code >= 127 && code <= 191);
  const wrong = Array.from({ length: 1_000 }, (_, code) => code).filter((code) => {
    const fault = nameFault(utf8ToByteString(`a${String.fromCodePoint(code)}`));
    return fault !== (isIllegal(code) ? 'illegal' : undefined);
  });
  t.same(wrong, []);
  t.end();
});

t.test('reserved, empty, ill-formed and endless names are no names', (t) => {
  for (const name of ['all', 'on', 'to', 'from', 'any']) {
    t.equal(nameFault(name as ByteString), 'reserved');
  }
  t.equal(nameFault('' as ByteString), 'illegal');
  t.equal(nameFault('\u00c3' as ByteString), 'illegal', 'half a character');
  t.equal(nameFault('a'.repeat(257) as ByteString), 'too-long');
  t.end();
});

t.test('what an operator types is lower-cased', (t) => {
  t.equal(roleNameOf('\u00c9mile'), utf8ToByteString('\u00e9mile'));
  t.equal(roleNameOf('ANN'), 'ann');
  t.end();
});

t.test('permissions are known by Riak’s words alone', (t) => {
  t.ok(isPermission('riak_kv.get'));
  t.notOk(isPermission('riak_kv.fly'));
  t.end();
});
