/** Frames and their brake, on a connection that takes them when it is told to. */

import t from 'tap';
import { FrameWriter } from '../../src/transport/frame-writer.ts';
import type { FrameSink } from '../../src/transport/carrier.ts';
import type { Outgoing } from '../../src/transport/frame-writer.ts';
import { VirtualHost } from '../replica/virtual-host.ts';

/** More than may be on its way at once. */
const LARGE_BYTES = 3 * 1024 * 1024;

class HeldSink implements FrameSink {
  /** Of each frame that was not taken yet. */
  readonly taken: (() => void)[] = [];

  write(_frame: Buffer, written: () => void): boolean {
    this.taken.push(written);
    return true;
  }
}

function outgoing(sizeBytes: number, isWanted: () => boolean = () => true): Outgoing {
  return {
    sizeBytes,
    toMessage: () => (isWanted() ? [1, Buffer.alloc(sizeBytes)] : undefined),
  };
}

t.test('what waited and is not wanted any more makes room, and that is told', (t) => {
  const sink = new HeldSink();
  const pending: number[] = [];
  const writer: FrameWriter = new FrameWriter(
    sink,
    { host: new VirtualHost(), defer: setImmediate },
    () => {
      pending.push(writer.pendingBytes);
    },
  );
  let isWanted = true;
  writer.push(outgoing(LARGE_BYTES));
  writer.flush();
  for (let count = 0; count < 10; count += 1) writer.push(outgoing(LARGE_BYTES, () => isWanted));
  writer.flush();
  t.equal(sink.taken.length, 1, 'the others wait for the first');
  isWanted = false;
  sink.taken[0]?.();
  t.equal(sink.taken.length, 1, 'nobody wants them by now');
  t.equal(writer.pendingBytes, 0);
  t.equal(pending.at(-1), 0, 'who waits for room has heard of it');
  t.end();
});
