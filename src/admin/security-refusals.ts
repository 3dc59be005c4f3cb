/**
 * Why a change of security was not made, in Riak's words where it has them.
 */

import { byteStringToUtf8 } from '../base/bytes.ts';
import type { SecurityChangeOutcome } from '../node/security-changes.ts';
import { SECURITY_LIMITS } from '../security/security-state.ts';
import { AdminRefusal } from './admin-server.ts';
import { noAgreementText } from './no-agreement.ts';

export function mustBeAgreed(outcome: SecurityChangeOutcome): void {
  switch (outcome.kind) {
    case 'changed':
    case 'unchanged':
      return;
    case 'refused':
      throw new AdminRefusal(refusalText(outcome));
    case 'no-room':
      throw new AdminRefusal('the cluster state has no room for more');
    case 'timeout':
      throw new AdminRefusal(noAgreementText(outcome));
  }
}

function refusalText({
  reason,
  names,
}: Extract<SecurityChangeOutcome, { readonly kind: 'refused' }>): string {
  const named = names.map(byteStringToUtf8).join(', ');
  switch (reason) {
    case 'reserved-name':
      return 'This name is reserved for system use';
    case 'illegal-name':
      return 'Illegal character(s) in name';
    case 'long-name':
      return `This name is longer than ${SECURITY_LIMITS.nameBytes} bytes`;
    case 'name-in-use':
      return 'This name is already in use';
    case 'unknown-users':
      return `User(s) not recognized: ${named}`;
    case 'unknown-groups':
      return `Group(s) not recognized: ${named}`;
    case 'long-option':
      return `Option(s) too long: ${named}`;
    case 'too-many':
      return `There would be too many ${named}`;
  }
}
