/**
 * Faults: what goes wrong in the world.
 *
 * Three kinds of trouble are never mixed. *Expected outcomes* (not found, quorum unmet) are values.
 * *Faults* are instances of `Fault` with a stable code. *Bugs* are failed assertions, which stop the
 * node: a process in an unknown state must not acknowledge anything.
 */

export type FaultCode =
  | 'store-fenced'
  | 'store-corrupt'
  | 'store-closed'
  /** There is too little room to take more data; nothing was done. */
  | 'disk-full'
  | 'peer-unreachable'
  | 'peer-refused'
  | 'peer-closed'
  | 'peer-malformed'
  /** The peer's release does not know the request; nothing was done. */
  | 'peer-unsupported'
  /** A cluster with security on does not take the client for who it says it is. */
  | 'login-refused'
  | 'timeout'
  | 'overload'
  | 'malformed'
  | 'config'
  | 'closed';

export class Fault extends Error {
  override readonly name = 'Fault';
  readonly code: FaultCode;

  constructor(code: FaultCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** Whether `error` is a fault, and if `code` is given, that one. */
export function isFault(error: unknown, code?: FaultCode): error is Fault {
  return error instanceof Fault && (code === undefined || error.code === code);
}

export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** Stops the node when what must be true is not. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Marks the branch that the types say cannot be reached. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${JSON.stringify(value)}`);
}
