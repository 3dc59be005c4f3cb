/**
 * Content negotiation: which of the forms on offer a client gets.
 *
 * The rules are those of Riak's web machine, where they differ from RFC 9110 too: of media ranges with
 * equal weight the last listed wins, a range with parameters matches only the same parameters (what has
 * no `=` is none), and a weight of 0 puts a media range last without excluding it. A weight that is no number
 * spoils the whole header, as do blanks alone between two commas. Of content codings and charsets with equal
 * weight the one later in the alphabet wins (`identity` before `gzip`), and a weight of 0 excludes.
 */

interface Weighted {
  /** As listed, without blanks around it. */
  readonly value: string;
  /** Sorted; names in lower case. */
  readonly parameters: readonly string[];
  /** 0 to 1. */
  readonly weight: number;
}

interface Listed {
  readonly items: readonly Weighted[];
  /** As media ranges, in the order in which they count; undefined: the header is spoiled. */
  readonly ranges: readonly MediaRange[] | undefined;
}

interface MediaRange {
  /** In lower case. */
  readonly value: string;
  readonly isAny: boolean;
  readonly parameters: string;
}

/** Clients send the same few headers with every request, and reading one costs 8 % of a small GET. */
const recentlyParsed = new Map<string, Listed>();
const KEPT_MAX = 256;
const KEPT_LENGTH_MAX = 256;

/** The form to send, or undefined where none is acceptable; `offered` is in order of preference. */
export function chooseMediaType(
  accept: string | undefined,
  offered: readonly string[],
): string | undefined {
  if (accept === undefined || accept === '*/*') return offered[0];
  for (const range of parseWeighted(accept).ranges ?? []) {
    for (const type of offered) {
      if (isInRange(type, range)) return type;
    }
  }
  return undefined;
}

function isInRange(type: string, { value, isAny, parameters }: MediaRange): boolean {
  // Any at all is any with parameters too, and so is any of one kind.
  if (isAny && parameters === '') return true;
  const isOfKind = value.endsWith('/*') && type.startsWith(value.slice(0, -1));
  if (isOfKind && parameters === '') return true;
  const [offer] = parseWeighted(type).items;
  if (offer === undefined || offer.parameters.join(';') !== parameters) return false;
  return isAny || isOfKind || offer.value === value;
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
  const listed = [...parseWeighted(header).items].sort(byWeightThenValue);
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

function parseWeighted(header: string): Listed {
  const known = recentlyParsed.get(header);
  if (known !== undefined) return known;
  const items = parse(header);
  const isSpoiled = header.split(',').some((item) => item !== '' && item.trim() === '');
  const parsed = { items, ranges: isSpoiled ? undefined : rangesOf(items) };
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
    const parameters = rest.filter((text) => /^\s*[^=\s]+\s*=/.test(text)).map(normaliseParameter);
    const weightText = parameters.find((parameter) => parameter.startsWith('q='));
    parsed.push({
      value: value.trim(),
      parameters: parameters.filter((parameter) => !parameter.startsWith('q=')).sort(),
      weight: weightText === undefined ? 1 : parseWeight(weightText.slice(2)),
    });
  }
  return parsed;
}

function rangesOf(items: readonly Weighted[]): readonly MediaRange[] | undefined {
  if (items.some(({ weight }) => Number.isNaN(weight))) return undefined;
  // The sort is stable, so that among equals the last listed comes first.
  const sorted = items.toReversed().sort((left, right) => right.weight - left.weight);
  return sorted.map((item) => {
    const value = item.value.toLowerCase();
    return {
      value,
      isAny: value === '*/*' || value === '*',
      parameters: item.parameters.join(';'),
    };
  });
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
