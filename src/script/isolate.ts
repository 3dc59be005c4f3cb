/**
 * One function of a client's in an interpreter of its own: QuickJS, compiled to WebAssembly.
 *
 * It sees the language and Riak's functions, and nothing of the process: no module, timer, file or
 * network exists in there. An interrupt ends what takes too long, limits end what takes too much, and
 * neither can be caught inside.
 */

import type {
  QuickJSContext,
  QuickJSHandle,
  QuickJSRuntime,
  QuickJSWASMModule,
} from 'quickjs-emscripten-core';
import { RIAK_FUNCTIONS } from './riak-functions.ts';
import type { ScriptLimits, WorkerReply } from './worker-messages.ts';

const MESSAGE_LENGTH_MAX = 500;
/** Takes the arguments as JSON text and gives the result as such, or undefined. */
const CALLER = `(function (run) {
  var parse = JSON.parse, write = JSON.stringify, apply = Reflect.apply;
  return function (text) { return write(apply(run, undefined, parse(text))); };
})`;

export class Isolate {
  readonly #runtime: QuickJSRuntime;
  readonly #context: QuickJSContext;
  readonly #limits: ScriptLimits;
  #caller: QuickJSHandle | undefined;
  /** What is wrong with the function. */
  #fault: string | undefined;
  #endMs = Infinity;

  constructor(module: QuickJSWASMModule, expression: string, limits: ScriptLimits) {
    this.#limits = limits;
    this.#runtime = module.newRuntime();
    this.#runtime.setMemoryLimit(limits.memoryBytes);
    this.#runtime.setMaxStackSize(limits.stackBytes);
    this.#runtime.setInterruptHandler(() => performance.now() > this.#endMs);
    this.#context = this.#runtime.newContext();
    this.#fault = this.#prepare(expression);
  }

  call(args: string): WorkerReply['outcome'] {
    const caller = this.#caller;
    if (caller === undefined) return { kind: 'failed', message: this.#fault ?? 'no function' };
    const outcome = this.#timed(() => {
      const text = this.#context.newString(args);
      const result = this.#context.callFunction(caller, this.#context.undefined, text);
      text.dispose();
      return result;
    });
    if (typeof outcome === 'string') return { kind: 'failed', message: outcome };
    const json = this.#context.typeof(outcome) === 'string' ? this.#context.getString(outcome) : '';
    outcome.dispose();
    return json === ''
      ? { kind: 'failed', message: 'the function gave nothing' }
      : { kind: 'returned', json };
  }

  dispose(): void {
    this.#caller?.dispose();
    this.#caller = undefined;
    this.#context.dispose();
    this.#runtime.dispose();
  }

  /** Undefined: all is well. */
  #prepare(expression: string): string | undefined {
    const known = this.#evaluate(RIAK_FUNCTIONS);
    if (typeof known === 'string') return known;
    known.dispose();
    const run = this.#evaluate(`(${expression}\n)`);
    if (typeof run === 'string') return run;
    const isFunction = this.#context.typeof(run) === 'function';
    const caller = isFunction ? this.#callerOf(run) : 'no function';
    run.dispose();
    if (typeof caller === 'string') return caller;
    this.#caller = caller;
    return undefined;
  }

  #callerOf(run: QuickJSHandle): QuickJSHandle | string {
    const maker = this.#evaluate(CALLER);
    if (typeof maker === 'string') return maker;
    const caller = this.#timed(() =>
      this.#context.callFunction(maker, this.#context.undefined, run),
    );
    maker.dispose();
    return caller;
  }

  #evaluate(code: string): QuickJSHandle | string {
    return this.#timed(() => this.#context.evalCode(code));
  }

  /** The value, or what went wrong. */
  #timed(work: () => ReturnType<QuickJSContext['evalCode']>): QuickJSHandle | string {
    this.#endMs = performance.now() + this.#limits.callTimeMs;
    const result = work();
    if (result.error === undefined) {
      this.#endMs = Infinity;
      return result.value;
    }
    // What was thrown may have code of its own, which runs while it is looked at.
    this.#endMs = performance.now() + this.#limits.callTimeMs;
    const message = this.#describe(result.error);
    this.#endMs = Infinity;
    result.error.dispose();
    return message;
  }

  /** `dump` would take the handle of one for its own and dispose it. */
  #isPromise(value: QuickJSHandle): boolean {
    const state = this.#context.getPromiseState(value);
    if (state.type === 'fulfilled') {
      if (state.notAPromise === true) return false;
      state.value.dispose();
    } else if (state.type === 'rejected') state.error.dispose();
    return true;
  }

  #describe(error: QuickJSHandle): string {
    if (this.#isPromise(error)) return 'a promise was thrown';
    const thrown: unknown = this.#context.dump(error);
    if (typeof thrown !== 'object' || thrown === null) return shorten(String(thrown));
    const { name, message } = thrown as { readonly name?: unknown; readonly message?: unknown };
    const words = [name, message].filter((word) => typeof word === 'string');
    return shorten(words.join(': ') || 'an object was thrown');
  }
}

function shorten(text: string): string {
  return text.slice(0, MESSAGE_LENGTH_MAX);
}
