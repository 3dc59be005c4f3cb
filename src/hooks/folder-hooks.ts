/**
 * Commit hooks from a folder: each module in it is loaded once, at the start, and called by name.
 *
 *   {"mod": "records", "fun": "check"}   `check` of records.js (or .mjs)
 *   {"name": "records"}                  its default export
 *
 * What a property names is looked up among what was loaded; no name ever becomes a path, so a client
 * that may set properties can choose among the operator's hooks and nothing else. A pre-commit hook
 * gets the write and returns it, as it is or changed; `'fail'` or `{ fail: reason }` refuses it, and so
 * does everything else: another value, an error, silence beyond the time allowed.
 */

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Fault } from '../base/fault.ts';
import type { Clock, Log, Metrics } from '../base/host.ts';
import type { CommitHooks, HookVerdict, HookedWrite } from '../coordinator/commit-hooks.ts';
import type { CommitHook } from '../object/bucket-properties.ts';
import type { NewContent } from '../object/requests.ts';
import { contentOf, hookedObjectOf, type HookedObject } from './hooked-object.ts';

export interface HookOptions {
  /** For all pre-commit hooks of one write together, and for each post-commit hook. */
  readonly timeoutMs: number;
  /** Hooks under way; beyond it writes of hooked buckets fail, and nothing is told afterwards. */
  readonly runningMax: number;
}

const HOOK_DEFAULTS: HookOptions = { timeoutMs: 5_000, runningMax: 1_000 };

interface HookHost {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

type Hook = (object: HookedObject) => unknown;

interface HookRun<T> {
  readonly write: HookedWrite;
  readonly timeoutMs: number;
  readonly read: (value: unknown) => T;
}

type HookModule = Readonly<Record<string, unknown>>;

const MODULE_FILE = /^([A-Za-z_][\w-]*)\.m?js$/;
const FAILED: HookVerdict = { kind: 'failed', reason: undefined };
const LATE = Symbol('late');

export class FolderHooks implements CommitHooks {
  readonly #host: HookHost;
  readonly #options: HookOptions;
  readonly #moduleByName: ReadonlyMap<string, HookModule>;
  #runningCount = 0;

  private constructor(
    host: HookHost,
    modules: ReadonlyMap<string, HookModule>,
    options: HookOptions,
  ) {
    this.#host = host;
    this.#moduleByName = modules;
    this.#options = options;
  }

  /** Rejects with a `config` fault where the folder or a module cannot be loaded. */
  static async load(
    host: HookHost,
    folder: string,
    options: Partial<HookOptions> = {},
  ): Promise<FolderHooks> {
    const modules = new Map<string, HookModule>();
    try {
      for (const file of await readdir(folder)) {
        const [, name] = MODULE_FILE.exec(file) ?? [];
        if (name === undefined) continue;
        const module: unknown = await import(pathToFileURL(join(folder, file)).href);
        modules.set(name, module as HookModule);
      }
    } catch (cause) {
      throw new Fault('config', `hooks cannot be loaded from ${folder}: ${String(cause)}`, {
        cause,
      });
    }
    return new FolderHooks(host, modules, { ...HOOK_DEFAULTS, ...options });
  }

  async before(
    hooks: readonly CommitHook[],
    write: HookedWrite,
    timeoutMs: number,
  ): Promise<HookVerdict> {
    const { clock } = this.#host;
    const endMs = clock.monotonicMs() + Math.min(timeoutMs, this.#options.timeoutMs);
    let { content } = write;
    for (const named of hooks) {
      const verdict = await this.#check(named, { ...write, content }, endMs - clock.monotonicMs());
      if (verdict.kind === 'failed') {
        this.#host.metrics.count('precommit_fail');
        return verdict;
      }
      ({ content } = verdict);
    }
    return { kind: 'passed', content };
  }

  after(hooks: readonly CommitHook[], write: HookedWrite): void {
    for (const named of hooks) void this.#tell(named, write);
  }

  async #check(named: CommitHook, write: HookedWrite, timeoutMs: number): Promise<HookVerdict> {
    const hook = this.#find(named);
    if (hook === undefined || timeoutMs <= 0) return FAILED;
    const read = (value: unknown): HookVerdict => verdictOf(value, write.content);
    return (await this.#run(hook, named, { write, timeoutMs, read })) ?? FAILED;
  }

  async #tell(named: CommitHook, write: HookedWrite): Promise<void> {
    const hook = this.#find(named);
    const { timeoutMs } = this.#options;
    const read = (): true => true;
    const isDone = hook && (await this.#run(hook, named, { write, timeoutMs, read }));
    if (isDone === undefined) this.#host.metrics.count('postcommit_fail');
  }

  #find(named: CommitHook): Hook | undefined {
    const [name, member] =
      'mod' in named ? [named.mod, named.fun] : ([named.name, 'default'] as const);
    const module = this.#moduleByName.get(name);
    const hook = module !== undefined && Object.hasOwn(module, member) ? module[member] : undefined;
    if (typeof hook === 'function') return hook as Hook;
    this.#host.log.warn('hook-missing', { module: name, function: member });
    return undefined;
  }

  /** What `read` makes of its result; undefined: it failed. */
  async #run<T>(
    hook: Hook,
    named: CommitHook,
    { write, timeoutMs, read }: HookRun<T>,
  ): Promise<T | undefined> {
    const { clock, log, metrics } = this.#host;
    if (this.#runningCount >= this.#options.runningMax) {
      metrics.count('hooks_refused_total');
      return undefined;
    }
    this.#runningCount += 1;
    metrics.gauge('hooks_running', this.#runningCount);
    let cancel = (): void => undefined;
    const late = new Promise<typeof LATE>((resolve) => {
      cancel = clock.after(timeoutMs, () => resolve(LATE));
    });
    // One that is late still counts as running until it ends.
    const running = (async () => {
      const given = hook(hookedObjectOf(write));
      // At once, where it need not be waited for: the hook may use it again for the next write.
      return read(isThenable(given) ? await given : given);
    })().finally(() => {
      this.#runningCount -= 1;
      metrics.gauge('hooks_running', this.#runningCount);
    });
    try {
      const value = await Promise.race([running, late]);
      if (value !== LATE) return value;
      log.warn('hook-late', { hook: nameOf(named), timeoutMs });
    } catch (error) {
      // Its message may quote the value.
      const kind = error instanceof Error ? error.name : typeof error;
      log.warn('hook-failed', { hook: nameOf(named), error: kind });
    } finally {
      cancel();
    }
    running.catch(() => undefined);
    metrics.count('hooks_failed_total');
    return undefined;
  }
}

function verdictOf(value: unknown, before: NewContent): HookVerdict {
  if (typeof value !== 'object' || value === null) return FAILED;
  if ('fail' in value) {
    const { fail } = value;
    return { kind: 'failed', reason: typeof fail === 'string' ? fail : undefined };
  }
  const content = contentOf(value, before);
  return content === undefined ? FAILED : { kind: 'passed', content };
}

function isThenable(given: unknown): given is PromiseLike<unknown> {
  return typeof (given as Partial<PromiseLike<unknown>> | undefined | null)?.then === 'function';
}

function nameOf(named: CommitHook): string {
  return 'mod' in named ? `${named.mod}:${named.fun}` : named.name;
}
