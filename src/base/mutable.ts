/**
 * A readonly value while it is being put together, field by field.
 */

export type Mutable<T> = { -readonly [K in keyof T]: T[K] };
