/**
 * The known name that a mistyped one most likely means: the one with the fewest edits between them.
 * Source: Levenshtein 1966.
 */

/** Insertions, removals and replacements that turn `left` into `right`. */
export function editDistance(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const isSame = left[row - 1] === right[column - 1];
      current.push(
        Math.min(
          (previous[column] ?? 0) + 1,
          (current[column - 1] ?? 0) + 1,
          (previous[column - 1] ?? 0) + (isSame ? 0 : 1),
        ),
      );
    }
    previous = current;
  }
  return previous[right.length] ?? 0;
}

/** The nearest of `known`, unless none is within half of the name's length. */
export function findNearestName(name: string, known: readonly string[]): string | undefined {
  // A name of this length is no typing error, and comparing it would take long.
  if (name.length > 100) return undefined;
  let nearest: string | undefined;
  let nearestDistance = Math.max(1, Math.floor(name.length / 2)) + 1;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < nearestDistance) {
      nearest = candidate;
      nearestDistance = distance;
    }
  }
  return nearest;
}
