/**
 * Whether memory still grows from round to round of the same work.
 *
 * The first rounds fill caches, compile code and widen the heap; so only the second half of them says
 * whether it goes on. Its trend is a straight line (least squares): single looks differ by where the
 * collector just was.
 */

export interface Growth {
  /** Of the looks of the second half of the rounds. */
  readonly meanBytes: number;
  /** Their trend. */
  readonly bytesPerRound: number;
  /** Largest distance of a look from that line: a trend below it is no trend. */
  readonly scatterBytes: number;
}

/** Of the looks after each round, in order; undefined where there are too few to say. */
export function growthOf(looks: readonly number[]): Growth | undefined {
  const later = looks.slice(Math.floor(looks.length / 2));
  if (later.length < 3) return undefined;
  const middle = (later.length - 1) / 2;
  const mean = later.reduce((sum, look) => sum + look, 0) / later.length;
  let product = 0;
  let square = 0;
  for (const [index, look] of later.entries()) {
    product += (index - middle) * (look - mean);
    square += (index - middle) ** 2;
  }
  const bytesPerRound = product / square;
  const distances = later.map((look, index) =>
    Math.abs(look - mean - bytesPerRound * (index - middle)),
  );
  return { meanBytes: mean, bytesPerRound, scatterBytes: Math.max(...distances) };
}

/** Over the rounds that the trend is of. */
export function isGrowing(
  { meanBytes, bytesPerRound, scatterBytes }: Growth,
  rounds: number,
): boolean {
  const ofHalf = bytesPerRound * (Math.ceil(rounds / 2) - 1);
  return ofHalf > Math.max(LEAST_SHARE * meanBytes, 2 * scatterBytes);
}

/** What a collector leaves one time and not the other. */
const LEAST_SHARE = 0.1;
