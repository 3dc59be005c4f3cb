/**
 * The thread that scripts run in: it keeps an isolate for each session and does as it is told.
 */

import { parentPort, workerData } from 'node:worker_threads';
import variant from '@jitl/quickjs-wasmfile-release-sync';
import { newQuickJSWASMModuleFromVariant, type QuickJSSyncVariant } from 'quickjs-emscripten-core';
import { assert } from '../base/fault.ts';
import { Isolate } from './isolate.ts';
import type { ScriptLimits, WorkerReply, WorkerRequest } from './worker-messages.ts';

const port = parentPort;
assert(port !== null, 'it is a thread, not a program');
const limits = workerData as ScriptLimits;
// Its types are those of its CommonJS form, which would be one `default` deeper.
const module = await newQuickJSWASMModuleFromVariant(variant as unknown as QuickJSSyncVariant);
const isolates = new Map<number, Isolate>();

port.on('message', (request: WorkerRequest) => {
  const { session } = request;
  let isolate = isolates.get(session);
  if (request.kind === 'close') {
    isolate?.dispose();
    isolates.delete(session);
    return;
  }
  if (isolate === undefined && request.expression !== undefined) {
    isolate = new Isolate(module, request.expression, limits);
    isolates.set(session, isolate);
  }
  const outcome = isolate?.call(request.args) ?? { kind: 'failed', message: 'no such session' };
  port.postMessage({ session, outcome } satisfies WorkerReply);
});
