/**
 * What leaves the machine in a support bundle, without what must not: a second line of defence, for nothing
 * that is collected should hold a secret in the first place.
 *
 * Values of names that speak of secrets, private keys in PEM, and credentials in addresses are replaced. Keys
 * of objects cannot be told from other words; so no part of a bundle is a place where they are.
 */

const HIDDEN = '***';
const SECRET_NAME = /passw|secret|credential|token|private|authorization|cookie/i;
const PEM = /-----BEGIN [A-Z ]*PRIVATE KEY-----[^]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g;
const CREDENTIALS_IN_URL = /(\w:\/\/)[^\s/@]+@/g;
const ASSIGNED = /((?:passw\w*|secret|token)["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;}]+)/gi;
const DEPTH_MAX = 32;

/** Whether what goes by this name is not to be shown. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** A copy, deep. */
export function redacted(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redactedText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= DEPTH_MAX) return HIDDEN;
  if (Array.isArray(value)) return value.map((each) => redacted(each, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [
      name,
      isSecretName(name) && typeof each !== 'boolean' ? HIDDEN : redacted(each, depth + 1),
    ]),
  );
}

export function redactedText(text: string): string {
  return text
    .replace(PEM, HIDDEN)
    .replace(CREDENTIALS_IN_URL, `$1${HIDDEN}@`)
    .replace(ASSIGNED, `$1${HIDDEN}`);
}
