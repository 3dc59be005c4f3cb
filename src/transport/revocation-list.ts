/**
 * When a list of revoked certificates ends: after that OpenSSL trusts nobody whom its authority vouches for.
 *
 * OpenSSL checks the lists; Node.js tells nothing of what is in them. Source: RFC 5280, section 5.1.
 */

const BLOCK = /-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]*)-----END X509 CRL-----/g;

const INTEGER = 0x02;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const SEQUENCE = 0x30;
const UTC_DIGITS = 'YYMMDDhhmmss'.length;

interface Element {
  readonly tag: number;
  readonly content: Buffer;
  /** What comes behind it. */
  readonly rest: Buffer;
}

/** Of PEM lists, one behind the other, the first to end; undefined where none says when. */
export function firstExpiryMs(pem: Buffer): number | undefined {
  const ends = [...pem.toString('latin1').matchAll(BLOCK)].flatMap(([, base64 = '']) => {
    const endMs = nextUpdateMs(Buffer.from(base64, 'base64'));
    return endMs === undefined ? [] : [endMs];
  });
  return ends.length === 0 ? undefined : Math.min(...ends);
}

/** CertificateList { tbsCertList { version?, signature, issuer, thisUpdate, nextUpdate?, … }, … } */
function nextUpdateMs(der: Buffer): number | undefined {
  let rest = open(open(der));
  if (element(rest)?.tag === INTEGER) rest = after(rest);
  const [signature, issuer] = [element(rest), element(after(rest))];
  if (signature?.tag !== SEQUENCE || issuer?.tag !== SEQUENCE) return undefined;
  rest = issuer.rest;
  return timeMs(element(rest)) === undefined ? undefined : timeMs(element(after(rest)));
}

/** Empty where it is none. */
function open(der: Buffer): Buffer {
  const found = element(der);
  return found?.tag === SEQUENCE ? found.content : Buffer.alloc(0);
}

function after(der: Buffer): Buffer {
  return element(der)?.rest ?? Buffer.alloc(0);
}

/** Undefined: it is cut off. */
function element(der: Buffer): Element | undefined {
  const [tag, first] = der;
  if (tag === undefined || first === undefined) return undefined;
  const lengthSize = first < 0x80 ? 0 : first - 0x80;
  if (lengthSize > 4 || der.length < 2 + lengthSize) return undefined;
  const start = 2 + lengthSize;
  const length = lengthSize === 0 ? first : der.readUIntBE(2, lengthSize);
  if (first === 0x80 || der.length < start + length) return undefined;
  return { tag, content: der.subarray(start, start + length), rest: der.subarray(start + length) };
}

/** `YYMMDDhhmmssZ`, of 1950 to 2049, or with four digits for the year. */
function timeMs(found: Element | undefined): number | undefined {
  if (found?.tag !== UTC_TIME && found?.tag !== GENERALIZED_TIME) return undefined;
  const text = found.content.toString('latin1');
  const digits = /^(\d{12}|\d{14})Z$/.exec(text)?.[1];
  if (digits === undefined) return undefined;
  const century = digits < '5' ? '20' : '19';
  const whole = digits.length === UTC_DIGITS ? `${century}${digits}` : digits;
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(whole) ?? [];
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(ms) ? undefined : ms;
}
