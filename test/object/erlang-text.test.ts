/**
 * What error texts print as Erlang would.
 */

import t from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import {
  notPresentTerm,
  printBinary,
  printCharacters,
  printReason,
} from '../../src/object/erlang-text.ts';
import type { ByteString } from '../../src/base/bytes.ts';

const name = (text: string): ByteString => text as ByteString;

t.test('names are printed as Erlang prints them', (t) => {
  t.equal(printBinary(name('t')), '<<"t">>');
  t.equal(printBinary(name('')), '<<>>');
  t.equal(printBinary(name('a"b\\c\n')), String.raw`<<"a\"b\\c\n">>`);
  t.equal(printBinary(name('\x01\x02')), '<<1,2>>');
  t.equal(printBinary(utf8ToByteString('é')), '<<195,169>>');
  t.equal(printBinary(undefined), 'undefined');
  t.equal(printCharacters('a"\x1b'), String.raw`"a\"\e"`);
  t.equal(printCharacters(''), '[]');
  t.equal(printCharacters('a\x00'), '[97,0]');
  t.equal(printReason('not_integer'), 'not_integer');
  t.equal(printReason('two words'), '"two words"');
  t.end();
});

t.test('what is not there is named with the module of its kind', (t) => {
  t.equal(notPresentTerm(name('x')), '{precondition,{not_present,<<"x">>}}');
  t.equal(
    notPresentTerm({ name: name('x'), kind: 'register' }),
    '{precondition,{not_present,{<<"x">>,riak_dt_lwwreg}}}',
  );
  t.end();
});
