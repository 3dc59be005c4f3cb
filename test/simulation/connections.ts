/**
 * Connections: what carries bytes between processes, in gRPC's place.
 *
 * The transport's own code runs on both ends (`links.ts`). A call is a stream of frames each way, whole
 * and in order, as TCP makes of it whatever the network does. A cut holds what is on its way, or breaks
 * the call, and one end may not know: so a peer may have dialled anew while the old link still looks
 * open. Whoever has died says nothing more; his machine refuses what comes for him, or is silent.
 */

import { status } from '@grpc/grpc-js';
import { Fault } from '../../src/base/fault.ts';
import type { NodeId } from '../../src/base/names.ts';
import type { CallError, Carrier, Connection } from '../../src/transport/carrier.ts';
import type { PeerCalls } from '../../src/transport/peer-calls.ts';
import { Call, type Wires } from './call.ts';
import type { CallEnd, Process } from './call-end.ts';
import type { SeededRandom } from './world.ts';

/** Hands a call that has come to the process that was dialled. */
type Accept = (calls: PeerCalls, end: CallEnd, question: Buffer) => void;

export class Connections {
  readonly #wires: Wires;
  readonly #random: SeededRandom;
  readonly #listening = new Map<NodeId, { readonly process: Process; readonly calls: PeerCalls }>();
  readonly #calls = new Set<Call>();

  constructor(wires: Wires, random: SeededRandom) {
    this.#wires = wires;
    this.#random = random;
  }

  /** From now on `process` hears who dials it. */
  listen(process: Process, calls: PeerCalls): void {
    this.#listening.set(process.node, { process, calls });
  }

  /** The process is gone, and what it had open breaks. */
  leave(process: Process): void {
    process.isGone = true;
    if (this.#listening.get(process.node)?.process === process) {
      this.#listening.delete(process.node);
    }
    for (const call of this.#calls) call.lose(process);
  }

  /** Some of what goes that way breaks, the rest waits. */
  cut(source: NodeId, target: NodeId): void {
    for (const call of this.#calls) {
      if (call.goes(source, target) && this.#random.chance(0.3)) call.break();
    }
  }

  heal(): void {
    for (const call of this.#calls) call.release();
  }

  carrierOf(process: Process): Carrier {
    return {
      defer: (run) => {
        this.#wires.world.after(0, () => process.clock.whenRunning(run));
      },
      // dev1 listens at 10,000.
      dial: ({ port }) => this.#connection(process, `dev${port - 9_999}@127.0.0.1` as NodeId),
    };
  }

  #connection(process: Process, target: NodeId): Connection {
    const dial = (accept: Accept, question: Buffer = Buffer.alloc(0)): CallEnd =>
      this.#dial({ process, target, accept }, question);
    return {
      openLink: () => dial((calls, end) => calls.acceptLink(end)),
      openStream: (question) => {
        return dial((calls, end) => calls.acceptStream(end), question);
      },
      ask: (question, timeoutMs) => {
        const end = dial((calls, served) => {
          calls.acceptJoin(served, (error, answer) => {
            if (answer !== undefined) served.write(answer);
            else served.emit('error', error ?? { code: status.UNAVAILABLE, details: 'no answer' });
          });
        }, question);
        return new Promise((resolve, reject) => {
          const cancel = process.clock.after(timeoutMs, () => {
            end.cancel();
            reject(new Fault('timeout', `${target} did not answer in time`));
          });
          end.on('data', (answer: Buffer) => {
            cancel();
            end.cancel();
            resolve(answer);
          });
          end.on('error', ({ details }: CallError) => {
            cancel();
            reject(new Fault('peer-unreachable', details));
          });
        });
      },
      close: () => undefined,
    };
  }

  #dial(
    { process, target, accept }: { process: Process; target: NodeId; accept: Accept },
    question: Buffer,
  ): CallEnd {
    const ports = { wires: this.#wires, random: this.#random };
    const call: Call = new Call(
      ports,
      { process, target, question },
      {
        accept: () => {
          const found = this.#listening.get(target);
          return (
            found && { process: found.process, accept: (end) => accept(found.calls, end, question) }
          );
        },
        over: () => this.#calls.delete(call),
      },
    );
    this.#calls.add(call);
    return call.near;
  }
}
