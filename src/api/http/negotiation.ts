/**
 * Content negotiation: which of the forms on offer a client gets.
 *
 * The rules are those of Riak's web machine, where they differ from RFC 9110 too: of media ranges with
 * equal weight the last listed wins, a range with parameters matches only the same parameters, a weight
 * of 0 puts a media range last without excluding it, and a weight that is no number spoils the whole
 * header. Of content codings and charsets with equal weight the one later in the alphabet wins
 * (`identity` before `gzip`), and a weight of 0 excludes.
 */

interface Weighted {
  /** As listed, without blanks around it. */
  readonly value: string;
  /** Sorted; names in lower case. */
  readonly parameters: readonly string[];
  /** 0 to 1. */
  readonly weight: number;
}

/** Clients send the same few headers with every request, and reading one costs 8 % of a small GET. */
const recentlyParsed = new Map<string, readonly Weighted[]>();
const KEPT_MAX = 256;
const KEPT_LENGTH_MAX = 256;

/** The form to send, or undefined where none is acceptable; `offered` is in order of preference. */
export function chooseMediaType(
  accept: string | undefined,
  offered: readonly string[],
): string | undefined {
  if (accept === undefined || accept === '*/*') return offered[0];
  const ranges: Weighted[] = [];
  for (const range of parseWeighted(accept)) {
    if (Number.isNaN(range.weight)) return undefined;
    ranges.unshift(range);
  }
  // The sort is stable, so that among equals the last listed stays first.
  ranges.sort((left, right) => right.weight - left.weight);
  for (const range of ranges) {
    const found = offered.find((type) => isInRange(type, range));
    if (found !== undefined) return found;
  }
  return undefined;
}

function isInRange(type: string, range: Weighted): boolean {
  const [offer] = parseWeighted(type);
  if (offer === undefined) return false;
  const wanted = range.value.toLowerCase();
  const isAny = wanted === '*/*' || wanted === '*';
  // Any at all is any with parameters too.
  if (isAny && range.parameters.length === 0) return true;
  if (offer.parameters.join(';') !== range.parameters.join(';')) return false;
  if (isAny || offer.value === wanted) return true;
  return wanted.endsWith('/*') && offer.value.startsWith(wanted.slice(0, -1));
}

/**
 * The coding or charset to send, or undefined. `standard` is what a client understands without
 * naming it, if it is on offer in just this spelling.
 */
export function chooseToken(
  header: string | undefined,
  offered: readonly string[],
  standard: string,
): string | undefined {
  if (header === undefined) return offered[0];
  const listed = [...parseWeighted(header)].sort(byWeightThenValue);
  if (listed.some(({ weight }) => Number.isNaN(weight))) return undefined;
  const weightOf = (token: string): number | undefined => {
    return listed.find(({ value }) => value === token)?.weight;
  };
  for (const { value, weight } of listed) {
    if (weight === 0) break;
    const found = offered.find((token) => token.toLowerCase() === value.toLowerCase());
    if (found !== undefined) return found;
  }
  const left = offered.filter((token) => weightOf(token) !== 0);
  const anyWeight = weightOf('*');
  if (anyWeight !== undefined && anyWeight > 0) return left[0];
  return weightOf(standard) === undefined && anyWeight === 0
    ? undefined
    : left.find((token) => token === standard);
}

function byWeightThenValue(left: Weighted, right: Weighted): number {
  return right.weight - left.weight || (left.value < right.value ? 1 : -1);
}

function parseWeighted(header: string): readonly Weighted[] {
  const known = recentlyParsed.get(header);
  if (known !== undefined) return known;
  const parsed = parse(header);
  if (header.length > KEPT_LENGTH_MAX) return parsed;
  if (recentlyParsed.size === KEPT_MAX) recentlyParsed.clear();
  recentlyParsed.set(header, parsed);
  return parsed;
}

function parse(header: string): Weighted[] {
  const parsed: Weighted[] = [];
  for (const item of header.split(',')) {
    const [value = '', ...rest] = item.split(';');
    if (value.trim() === '') continue;
    const parameters = rest.map(normaliseParameter);
    const weightText = parameters.find((parameter) => parameter.startsWith('q='));
    parsed.push({
      value: value.trim(),
      parameters: parameters.filter((parameter) => !parameter.startsWith('q=')).sort(),
      weight: weightText === undefined ? 1 : parseWeight(weightText.slice(2)),
    });
  }
  return parsed;
}

/** `name=value`, without blanks and the quotes around a value. */
function normaliseParameter(text: string): string {
  const [name = '', ...value] = text.split('=');
  return `${name.trim().toLowerCase()}=${value.join('=').trim().replaceAll('"', '')}`;
}

/** NaN where it is none: 0, 1, or a decimal fraction. */
function parseWeight(text: string): number {
  return /^([01]|\d*\.\d+)$/.test(text) ? Number(text) : Number.NaN;
}
