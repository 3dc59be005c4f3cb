/**
 * What the node and its script worker say to each other.
 */

export interface ScriptLimits {
  /** For each call, preparing the function included. */
  readonly callTimeMs: number;
  readonly memoryBytes: number;
  readonly stackBytes: number;
}

export type WorkerRequest =
  /** `expression` opens the isolate, if it is the first call of the session. */
  | {
      readonly kind: 'call';
      readonly session: number;
      readonly expression: string | undefined;
      readonly args: string;
    }
  | { readonly kind: 'close'; readonly session: number };

/** Of a call; calls come one at a time. */
export interface WorkerReply {
  readonly session: number;
  readonly outcome:
    | { readonly kind: 'returned'; readonly json: string }
    | { readonly kind: 'failed'; readonly message: string };
}
