/** When lists of revoked certificates end is read from them, and nothing from what is no list. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { CLIENT_CERTIFICATES, CertificateFiles } from '../../src/transport/certificate-files.ts';
import { firstExpiryMs } from '../../src/transport/revocation-list.ts';
import { systemHost } from '../../src/telemetry/system-host.ts';
import { Authority } from './certificates.ts';

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };
const DAY_MS = 86_400_000;

/** `openssl ca -gencrl` of OpenSSL 3, cut down to what comes first: version 2, and times of two digits. */
function list(lastUpdate: string, nextUpdate: string | undefined, version = true): Buffer {
  const tlv = (tag: number, value: Buffer): Buffer =>
    Buffer.concat([Buffer.of(tag, value.length), value]);
  const utc = (text: string): Buffer => tlv(text.length === 13 ? 0x17 : 0x18, Buffer.from(text));
  const times = [utc(lastUpdate), ...(nextUpdate === undefined ? [] : [utc(nextUpdate)])];
  const body = Buffer.concat([
    ...(version ? [tlv(0x02, Buffer.of(1))] : []),
    tlv(0x30, Buffer.of(0x05, 0)),
    tlv(0x30, Buffer.alloc(0)),
    ...times,
    tlv(0x30, Buffer.alloc(0)),
  ]);
  const der = tlv(0x30, Buffer.concat([tlv(0x30, body), tlv(0x30, Buffer.alloc(0))]));
  return Buffer.from(pem(der));
}

function pem(der: Buffer): string {
  const lines = der.toString('base64').replaceAll(/.{1,64}/g, '$&\n');
  return `-----BEGIN X509 CRL-----\n${lines}-----END X509 CRL-----\n`;
}

t.test('the first of several lists to end counts', (t) => {
  const folder = t.testdir();
  const file = join(folder, 'a.crl');
  const pems = [5, 2, 9].map((days) => {
    new Authority(`of ${days}`).revoke(file, [], days);
    return readFileSync(file);
  });
  const endMs = firstExpiryMs(Buffer.concat(pems)) ?? 0;
  t.ok(Math.abs(endMs - Date.now() - 2 * DAY_MS) < 60_000, new Date(endMs).toISOString());
  t.end();
});

t.test('times are of two digits or of four, and versions are told or not', (t) => {
  const ends = (...given: Parameters<typeof list>): string => {
    const endMs = firstExpiryMs(list(...given));
    return endMs === undefined ? 'never' : new Date(endMs).toISOString();
  };
  t.equal(ends('260101000000Z', '261124033000Z'), '2026-11-24T03:30:00.000Z');
  t.equal(ends('490101000000Z', '500101000000Z'), '1950-01-01T00:00:00.000Z');
  t.equal(ends('20500101000000Z', '20510203040506Z', false), '2051-02-03T04:05:06.000Z');
  t.equal(ends('260101000000Z', undefined), 'never');
  t.equal(ends('260101000000Z', '269924033000Z'), 'never', 'no month');
  t.equal(ends('no time at all', '261124033000Z'), 'never');
  t.end();
});

t.test('what is no list, or half of one, ends never and breaks nothing', (t) => {
  const whole = list('260101000000Z', '261124033000Z').toString();
  const der = Buffer.from(whole.split('\n').slice(1, -2).join(''), 'base64');
  const look = (bytes: Buffer): void => {
    const endMs = firstExpiryMs(Buffer.from(pem(bytes)));
    t.ok(endMs === undefined || Number.isFinite(endMs));
  };
  for (let size = 0; size < der.length; size += 1) look(der.subarray(0, size));
  const flip = fc.tuple(fc.nat(der.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(flip, { maxLength: 8 }), (flips) => {
      const bytes = Buffer.from(der);
      for (const [at, value] of flips) bytes[at] = value;
      look(bytes);
    }),
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => look(Buffer.from(bytes))));
  t.equal(firstExpiryMs(Buffer.from('no PEM')), undefined);
  t.end();
});

t.test('when the list ends is a metric, and follows the file', (t) => {
  const folder = t.testdir();
  const authority = new Authority('clients');
  const crlFile = join(folder, 'clients.crl');
  const gauges = new Map<string, number>();
  const host = systemHost(SILENT, {
    count() {},
    gauge: (name, value) => void gauges.set(name, value),
    observe() {},
  });
  authority.revoke(crlFile, [], 3);
  const paths = { ...authority.issue(folder, 'server'), crlFile };
  const files = new CertificateFiles(host, paths, CLIENT_CERTIFICATES);
  const daysLeft = (): number => {
    const endMs = (gauges.get('client_tls_crl_expiry_timestamp_seconds') ?? 0) * 1_000;
    return Math.round((endMs - Date.now()) / DAY_MS);
  };
  t.equal(daysLeft(), 3);
  authority.revoke(crlFile, [], 7);
  files.reload();
  t.equal(daysLeft(), 7);
  writeFileSync(crlFile, 'half a file');
  files.reload();
  t.equal(daysLeft(), 7, 'what cannot be used changes nothing');
  t.end();
});
