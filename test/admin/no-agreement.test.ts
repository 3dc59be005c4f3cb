/** The words for a change that was not agreed on in time. */

import t from 'tap';
import { noAgreementText } from '../../src/admin/no-agreement.ts';

t.test('what is said of a change that was not agreed on in time', async (t) => {
  const refused = noAgreementText({ mayTakeEffect: false });
  t.match(refused, /^no majority of the members agreed in time/);
  t.match(refused, /new cluster/, 'the cause that is easily overlooked');
  t.notMatch(refused, /may still take effect/);
  const failed = { mayTakeEffect: true, because: 'too many changes are waiting' };
  t.equal(
    noAgreementText(failed),
    'this node could not see to it (too many changes are waiting); the change may still take effect',
  );
  t.match(noAgreementText({ mayTakeEffect: true }), /; the change may still take effect$/);
});
