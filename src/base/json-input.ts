/**
 * JSON from clients, read as leniently as Riak's parser (mochijson2) reads it.
 *
 * That takes what JSON has not: one comma after the last member of a list or object, and, within texts,
 * control characters and backslashes that escape nothing, which stand for themselves.
 */

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Throws where `bytes` are no JSON, or no UTF-8. Nesting is the caller's to bound before. */
export function readJson(bytes: Buffer): unknown {
  const text = utf8.decode(bytes);
  try {
    return JSON.parse(text);
  } catch {
    return JSON.parse(toStrictJson(text));
  }
}

// Of the commas, those after a member and before a closing bracket. What stands before a comma is looked
// at only where there is one: at every place of a long run of blanks it would take quadratic time.
// eslint-disable-next-line no-control-regex
const LENIENT = /"|\\[^]|[\0-\x1f]|,(?<=[^[{,\t\n\r ][\t\n\r ]*,)(?=[\t\n\r ]*[\]}])/g;

function toStrictJson(text: string): string {
  let isQuoted = false;
  return text.replace(LENIENT, (token) => {
    if (token === '"') isQuoted = !isQuoted;
    if (token === ',') return isQuoted ? token : '';
    if (!isQuoted || token === '"' || ESCAPE.test(token)) return token;
    return JSON.stringify(token).slice(1, -1);
  });
}

const ESCAPE = /^\\["\\/bfnrtu]$/;
