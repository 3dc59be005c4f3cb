/**
 * What the dashboard's process tells its page: the cluster at one moment, and the last minutes as
 * samples.
 *
 * Plain JSON. `undefined` (absent) always means "nobody said"; a node that does not answer is
 * still there, with `silence`. Nothing here holds a key: keys come by a question of their own, if
 * at all.
 */

export interface Snapshot {
  /** Wall clock. */
  readonly atMs: number;
  /** From the first question to the last answer. */
  readonly tookMs: number;
  readonly cluster: ClusterView | undefined;
  readonly ring: RingView | undefined;
  /** The members in the order of the cluster state, then nodes that are only configured. */
  readonly nodes: readonly NodeView[];
  /** Those that fire first, then by severity. */
  readonly alerts: readonly AlertView[];
  readonly refusals: readonly RefusalView[];
  readonly hotKeys: HotKeysView | undefined;
  readonly slowLog: SlowLogView | undefined;
  /** Whether keys may be asked for. */
  readonly showsKeys: boolean;
}

export interface ClusterView {
  readonly name: string;
  readonly epoch: number;
  readonly ringSize: number;
  /** Who said so. */
  readonly toldBy: string;
  readonly stagedCount: number;
  readonly step: StepView | undefined;
}

/** The ring is on its way to another. */
export interface StepView {
  readonly phase: 'filling' | 'turning';
  /** Who does not yet hold all that it will own. */
  readonly unfilled: readonly string[];
}

/** Indexes into `Snapshot.nodes`; −1: nobody that is known. */
export interface RingView {
  readonly owners: readonly number[];
  /** By partition, while a step is open. */
  readonly nextOwners: readonly number[] | undefined;
}

export interface NodeView {
  readonly node: string;
  /** Absent: it does not answer. */
  readonly answersBy: 'socket' | 'http' | undefined;
  /** Why it does not answer, in a sentence. */
  readonly silence: string | undefined;
  /** As the cluster state says; `none`: it is no member; absent: nobody told. */
  readonly status: string | undefined;
  /** Members that hear it, of those that were asked. */
  readonly heardBy: number;
  readonly askedOf: number;
  readonly location: string;
  readonly release: string | undefined;
  readonly isReady: boolean | undefined;
  /** Why it is not ready. */
  readonly reason: string | undefined;
  readonly partitions: number;
  readonly pendingPartitions: number | undefined;
  readonly figures: NodeFigures;
  readonly hints: readonly HintView[] | undefined;
  readonly transfers: TransferView | undefined;
  readonly antiEntropy: AntiEntropyView | undefined;
}

/** What its metrics say; rates are over the time between two rounds. */
export interface NodeFigures {
  readonly uptimeSeconds?: number;
  readonly epoch?: number;
  readonly readsPerSecond?: number;
  readonly writesPerSecond?: number;
  /** Of the last minute. */
  readonly readP50Ms?: number;
  readonly readP99Ms?: number;
  readonly writeP50Ms?: number;
  readonly writeP99Ms?: number;
  readonly loopDelayMs?: number;
  readonly busyRatio?: number;
  readonly memoryBytes?: number;
  readonly memoryLimitBytes?: number;
  readonly diskFreeBytes?: number;
  readonly diskTotalBytes?: number;
  readonly diskReserveBytes?: number;
  readonly storeBytes?: number;
  readonly hints?: number;
  readonly refusedPerSecond?: number;
  readonly requestsWaiting?: number;
  /** Taken over from other nodes. */
  readonly transferBytesPerSecond?: number;
}

export interface HintView {
  readonly target: string;
  readonly count: number;
  readonly isUp: boolean;
  readonly retryInMs: number;
}

export interface TransferView {
  readonly isFilled: boolean;
  readonly works: readonly {
    readonly kind: string;
    readonly trees: number;
    readonly treesDone: number;
    readonly keys: number;
    readonly bytes: number;
    readonly remainingMs?: number;
  }[];
  readonly activeCount: number;
  readonly peers: readonly string[];
  readonly keysPerSecond: number;
  readonly bytesPerSecond: number;
  readonly lastFailure: { readonly text: string; readonly agoMs: number } | undefined;
}

export interface AntiEntropyView {
  /** Absent: not told. */
  readonly isRunning: boolean | undefined;
  readonly done: number;
  readonly total: number;
  readonly roundCount: number;
  /** Since a round was last seen to end; absent: none has ended. */
  readonly ageMs: number | undefined;
  /** Whether the age counts from the dashboard's start, so that it may be more. */
  readonly isAtLeast: boolean;
  readonly scrub: string;
}

export interface AlertView {
  readonly name: string;
  readonly severity: 'page' | 'ticket';
  readonly node: string;
  readonly isFiring: boolean;
  readonly holdsForMs: number;
  readonly forMs: number;
  readonly meaning: string;
}

/** One counter of what was refused or failed. */
export interface RefusalView {
  readonly counter: string;
  readonly meaning: string;
  readonly byNode: readonly {
    readonly node: string;
    /** Since the node was started. */
    readonly total: number;
    /** Since the dashboard was started. */
    readonly risen: number;
    readonly lastAgoMs: number | undefined;
  }[];
}

export interface HotKeyView {
  readonly node: string;
  readonly type: string;
  readonly bucket: string;
  readonly fingerprint: string;
  readonly perSecond: number;
  /** Of the node's operations, 0 to 1. */
  readonly share: number;
}

export interface HotKeysView {
  readonly reads: readonly HotKeyView[];
  readonly writes: readonly HotKeyView[];
}

export interface SlowRequestView {
  readonly node: string;
  readonly time: string;
  readonly api: string;
  readonly operation: string;
  readonly notable: readonly string[];
  readonly ms: number;
  readonly bytes: number;
  readonly siblings: number;
  readonly outcome: string;
  readonly bucket: string | undefined;
  readonly fingerprint: string | undefined;
}

export interface SlowLogView {
  /** Since the nodes were started, over those that were asked. */
  readonly noted: number;
  readonly slowMs: number;
  /** The newest first, a bounded number. */
  readonly entries: readonly SlowRequestView[];
}

/** What is kept of the last minutes of each node. */
export const SERIES = [
  'reads',
  'writes',
  'readP99',
  'writeP99',
  'loopDelay',
  'memory',
  'diskFree',
  'hints',
] as const;

export type SeriesName = (typeof SERIES)[number];

/** Of one node, at one moment; null: unknown. */
export type SampleValues = Readonly<Record<SeriesName, number | null>>;

export interface Sample {
  readonly atMs: number;
  readonly nodes: Readonly<Record<string, SampleValues>>;
}

/** The oldest first. */
export interface History {
  readonly spanMs: number;
  readonly samples: readonly Sample[];
}

/** What a node's own name for a hot key stands for, and where it is; for who may see keys. */
export interface RevealedKey {
  readonly node: string;
  readonly fingerprint: string;
  readonly key: string;
}

export interface LocatedKeyView {
  readonly type: string;
  readonly bucket: string;
  readonly key: string;
  readonly partition: number;
  readonly nVal: number;
  readonly epoch: number;
  readonly verdict: 'agree' | 'absent' | 'differ' | 'unknown';
  readonly hintCount: number;
  readonly preferenceList: readonly { readonly node: string; readonly isPrimary: boolean }[];
  readonly copies: readonly {
    readonly node: string;
    readonly role: string;
    readonly isUp: boolean;
    readonly state: string;
    readonly fault?: string;
    readonly isBehind: boolean;
    readonly sizeBytes: number;
    readonly causalHash?: string;
    readonly hintsFor: readonly string[];
    readonly siblings: readonly {
      readonly isTombstone: boolean;
      readonly valueSizeBytes: number;
      readonly lastModifiedMicros: number;
    }[];
  }[];
}
