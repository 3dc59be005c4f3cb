/**
 * Stored metadata in headers, both ways.
 */

import assert from 'node:assert';
import fc from 'fast-check';
import t from 'tap';
import { createdLocation, escapeControls } from '../../../src/api/http/address.ts';
import { badLinkText, parseLinkHeader } from '../../../src/api/http/link-header.ts';
import { splitContentType } from '../../../src/api/http/object-metadata.ts';
import { linkHeader, partHeaders, siblingHeaders } from '../../../src/api/http/object-headers.ts';
import { bytesToByteString } from '../../../src/base/bytes.ts';
import type { BucketAddress, UrlForm } from '../../../src/api/http/address.ts';
import type { ByteString } from '../../../src/base/bytes.ts';
import type { Actor } from '../../../src/clock/version-vector.ts';
import type { Metadata, SiblingHead } from '../../../src/object/stored-object.ts';

const bytes = fc.uint8Array({ maxLength: 12 }).map(bytesToByteString);
const name = bytes.filter((name) => name !== '');
const form = fc.constantFrom<UrlForm>('riak', 'buckets', 'types');

function addressOf(form: UrlForm, bucket: string): BucketAddress {
  return { form, type: 'default' as ByteString, bucket: bucket as ByteString };
}

function siblingWith(metadata: Metadata): SiblingHead {
  return {
    dot: { actor: 'a' as Actor, counter: 1 },
    lastModifiedMicros: 0,
    vtag: 'V',
    metadata,
    isTombstone: false,
    valueSizeBytes: 0,
  };
}

t.test('of a text for a header control characters alone are escaped', (t) => {
  for (let byte = 0; byte < 256; byte += 1) {
    const text = `a${String.fromCharCode(byte)}z`;
    const isControl = (byte < 0x20 && byte !== 0x09) || byte === 0x7f;
    const escaped = `a%${byte.toString(16).toUpperCase().padStart(2, '0')}z`;
    t.equal(escapeControls(text), isControl ? escaped : text);
  }
  t.end();
});

t.test('links read back as they were shown, in every form of URL', (t) => {
  const link = fc.record({ bucket: name, key: name, tag: name }, { noNullPrototype: true });
  const links = fc.array(link, { maxLength: 5 });
  fc.assert(
    fc.property(links, form, name, (links, form, bucket) => {
      const header = linkHeader({ links }, bucket, form);
      assert.deepStrictEqual(parseLinkHeader(header, addressOf(form, bucket)), links);
    }),
  );
  t.end();
});

t.test('a form of URL takes its own links only', (t) => {
  const old = '</riak/b/k>; riaktag="t"';
  const recent = '</buckets/b/keys/k>;riaktag="t"';
  t.ok(parseLinkHeader(old, addressOf('riak', 'b')));
  t.ok(parseLinkHeader(recent, addressOf('buckets', 'b')));
  t.ok(parseLinkHeader(recent, addressOf('types', 'b')));
  t.equal(parseLinkHeader(recent, addressOf('riak', 'b')), undefined);
  t.equal(parseLinkHeader(old, addressOf('buckets', 'b')), undefined);
  t.match(badLinkText(addressOf('riak', 'b')), '</riak/BUCKET/KEY>; riaktag="TAG"');
  for (const header of [
    '</buckets/b>; rel="x"',
    '</buckets/other>; rel="up"',
    '</buckets/b/keys/k>; rel="up"',
    '</buckets//keys/k>; riaktag="t"',
    '</buckets/b/key/k>; riaktag="t"',
    '</buckets/b/keys/k>;  riaktag="t"',
    '</buckets/b/keys/k>; riaktag="a, b"',
    '</buckets/b/keys/k>; riaktag=""',
    '</buckets/b>; rel="up", </buckets/b>; rel="up"',
  ]) {
    t.equal(parseLinkHeader(header, addressOf('buckets', 'b')), undefined, header);
  }
  t.same(parseLinkHeader('', addressOf('buckets', 'b')), []);
  t.same(parseLinkHeader(`${recent}; title="x"`, addressOf('buckets', 'b')), [
    { bucket: 'b', key: 'k', tag: 't' },
  ]);
  t.end();
});

t.test('nothing that is stored can break out of a header', (t) => {
  const metadata = fc.record(
    {
      contentType: bytes,
      charset: bytes,
      contentEncoding: bytes,
      links: fc.array(fc.record({ bucket: bytes, key: bytes, tag: bytes }), { maxLength: 2 }),
      userMetadata: fc.array(fc.tuple(bytes, bytes), { maxLength: 3 }),
      indexes: fc.array(fc.record({ field: bytes, term: bytes }), { maxLength: 3 }),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    // The vtag too: that of an object of another cluster is what was sent.
    fc.property(metadata, bytes, bytes, form, (metadata, vtag, bucket, form) => {
      const sibling = { ...siblingWith(metadata), vtag };
      for (const headers of [
        siblingHeaders(sibling, bucket, form),
        partHeaders(sibling, bucket, form),
      ]) {
        for (const text of headers) assert.match(text, /^[\t\x20-\x7e\x80-\xff]*$/);
      }
    }),
  );
  t.end();
});

t.test('a stored pair cannot pose as framing', (t) => {
  const pairs = [
    ['Content-Length', '1'],
    ['transfer-encoding', 'chunked'],
    ['foo', 'bar'],
    ['not a token', 'x'],
  ] as unknown as readonly (readonly [ByteString, ByteString])[];
  const headers = siblingHeaders(siblingWith({ userMetadata: pairs }), 'b' as ByteString, 'riak');
  t.same(headers.slice(-2), ['foo', 'bar']);
  t.end();
});

t.test('the location of a made key has its names as they are, but for control characters', (t) => {
  t.equal(createdLocation(addressOf('buckets', 'a b'), 'K'), '/buckets/a b/keys/K');
  t.equal(createdLocation(addressOf('riak', 'a\r\nb'), 'K'), '/riak/a%0D%0Ab/K');
  t.equal(createdLocation(addressOf('types', 'b'), 'K'), '/types/default/buckets/b/keys/K');
  t.end();
});

t.test('of a content type the media type and a charset named in lower case are kept', (t) => {
  const split = (header: string): unknown => Object.values(splitContentType(header));
  t.same(split('text/plain'), ['text/plain', undefined]);
  t.same(split('text/plain;  x=1; charset="utf-8"'), ['text/plain', '"utf-8"']);
  t.same(split('text/plain; Charset=utf-8'), ['text/plain', undefined]);
  t.same(split('text/plain charset=utf-8'), ['text/plain', 'utf-8']);
  t.same(split('text/plain; charset=a=b'), ['text/plain', undefined]);
  t.same(split(';'), ['', undefined]);
  t.end();
});
