/** Error replies as faults. */

import t from 'tap';
import { FrameDecoder } from '../../src/api/pbc/framing.ts';
import { RpbIndexResp } from '../../src/api/pbc/messages/index-messages.ts';
import { RpbErrorResp } from '../../src/api/pbc/messages/server-messages.ts';
import { AssertionError, assert, isFault } from '../../src/base/fault.ts';
import { decodeReply, isTransient } from '../../src/client/error-reply.ts';
import { frame, name } from '../api/pbc/served.ts';
import type { Fault } from '../../src/base/fault.ts';

function faultOf(text: string): Fault {
  const decoder = new FrameDecoder(1000);
  decoder.push(frame(RpbErrorResp, { errmsg: name(text), errcode: 0 }));
  const outcome = decoder.next();
  assert(outcome.kind === 'frame', 'a whole frame');
  try {
    decodeReply(RpbIndexResp, outcome.frame);
  } catch (error) {
    assert(isFault(error), 'a fault');
    return error;
  }
  throw new AssertionError('no fault');
}

t.test('what a stream ends with is the same as elsewhere, inside `error`', (t) => {
  for (const [text, code, mayPass] of [
    ['timeout', 'timeout', true],
    ['overload', 'overload', true],
    ['insufficient_vnodes_available', 'peer-refused', true],
    ['all_nodes_down', 'peer-refused', true],
    ['no_type', 'peer-refused', false],
  ] as const) {
    for (const each of [text, `{error,${text}}`]) {
      const fault = faultOf(each);
      t.equal(fault.code, code, each);
      t.equal(isTransient(fault), mayPass, each);
    }
  }
  t.end();
});
