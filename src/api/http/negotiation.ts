/**
 * Content negotiation: which of the forms on offer a client gets.
 *
 * The rules are Riak's, where they differ from RFC 9110 too: of media ranges with equal weight the
 * last listed wins, a range with parameters matches only the same parameters, and a weight of 0 puts
 * a media range last without excluding it. Of content codings and charsets with equal weight the one
 * later in the alphabet wins (`identity` before `gzip`), and a weight of 0 excludes.
 */

interface Weighted {
  /** In lower case. */
  readonly value: string;
  /** In lower case, sorted. */
  readonly parameters: readonly string[];
  /** 0 to 1. */
  readonly weight: number;
}

/** The form to send, or undefined where none is acceptable; `offered` is in order of preference. */
export function chooseMediaType(
  accept: string | undefined,
  offered: readonly string[],
): string | undefined {
  if (accept === undefined || accept === '*/*') return offered[0];
  const ranges = parseWeighted(accept).reverse();
  // The sort is stable, so that among equals the last listed stays first.
  ranges.sort((left, right) => right.weight - left.weight);
  for (const range of ranges) {
    const found = offered.find((type) => isInRange(type, range));
    if (found !== undefined) return found;
  }
  return undefined;
}

function isInRange(type: string, range: Weighted): boolean {
  if (range.value === '*/*' || range.value === '*') return true;
  const [offer] = parseWeighted(type);
  if (offer === undefined) return false;
  if (offer.parameters.join(';') !== range.parameters.join(';')) return false;
  if (offer.value === range.value) return true;
  return range.value.endsWith('/*') && offer.value.startsWith(range.value.slice(0, -1));
}

/**
 * The coding or charset to send, or undefined. `standard` is what a client understands without
 * naming it.
 */
export function chooseToken(
  header: string | undefined,
  offered: readonly string[],
  standard: string,
): string | undefined {
  if (header === undefined) return offered[0];
  const listed = parseWeighted(header).sort(byWeightThenName);
  const excluded = new Set(listed.filter(({ weight }) => weight === 0).map(({ value }) => value));
  const isAllowed = (token: string): boolean => !excluded.has(token.toLowerCase());
  for (const { value, weight } of listed) {
    if (weight === 0) continue;
    const found = offered.find((token) => token.toLowerCase() === value);
    if (found !== undefined) return found;
  }
  if (listed.some(({ value, weight }) => value === '*' && weight > 0)) {
    return offered.find(isAllowed);
  }
  const isStandardAllowed = isAllowed(standard) && !excluded.has('*');
  return isStandardAllowed ? offered.find((token) => token === standard) : undefined;
}

function byWeightThenName(left: Weighted, right: Weighted): number {
  return right.weight - left.weight || (left.value < right.value ? 1 : -1);
}

function parseWeighted(header: string): Weighted[] {
  const parsed: Weighted[] = [];
  for (const item of header.split(',')) {
    const [value = '', ...rest] = item.toLowerCase().split(';');
    if (value.trim() === '') continue;
    const parameters = rest.map((parameter) => parameter.replaceAll(' ', ''));
    const weightText = parameters.find((parameter) => parameter.startsWith('q='));
    parsed.push({
      value: value.trim(),
      parameters: parameters.filter((parameter) => !parameter.startsWith('q=')).sort(),
      weight: weightText === undefined ? 1 : parseWeight(weightText.slice(2)),
    });
  }
  return parsed;
}

function parseWeight(text: string): number {
  const weight = Number(text);
  return text !== '' && weight >= 0 && weight <= 1 ? weight : 1;
}
