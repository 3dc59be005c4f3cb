/**
 * How large a query may be: whatever a client writes, parsing and evaluating it costs a bounded
 * amount.
 */

/** Of one expression, in characters. */
export const EXPRESSION_LENGTH_MAX = 4096;

/** Parentheses within parentheses, and NOTs in a row. */
export const NESTING_MAX = 50;

/** Functions in one evaluation expression. */
export const STAGES_MAX = 64;

/** Index ranges in one query. */
export const RANGES_MAX = 16;

/** Entries of `substitutions`. */
export const SUBSTITUTIONS_MAX = 256;

/** Of a range's ends, and of what `join` makes (an entry where that would be longer does not match), in bytes. */
export const VALUE_SIZE_MAX = 65_536;

/** Digits that `to_integer` converts; a longer number stays text. */
export const INTEGER_DIGITS_MAX = 1_000;

/** Seconds. */
export const TIMEOUT_DEFAULT_SECONDS = 60;
export const TIMEOUT_MAX_SECONDS = 3_600;
