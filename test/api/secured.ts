/**
 * Security for the tests of both client APIs: a state that tests change at will, the real gatekeeper
 * over it, certificates made on the spot.
 *
 * From 127.0.0.1 come `ann`, who is trusted, `bob`, who has a password, and `eve@example`, who has a
 * certificate.
 */

import { pbkdf2Sync } from 'node:crypto';
import { AgreedGatekeeper } from '../../src/node/agreed-gatekeeper.ts';
import { PasswordHasher } from '../../src/security/password-hasher.ts';
import { NO_SECURITY } from '../../src/security/security-state.ts';
import { CLIENT_CERTIFICATES, CertificateFiles } from '../../src/transport/certificate-files.ts';
import { Authority } from '../transport/certificates.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Host, Metrics } from '../../src/base/host.ts';
import type { Permission, Target } from '../../src/security/permission.ts';
import type { SecurityState, SourceMethod, User } from '../../src/security/security-state.ts';
import type { PeerTls } from '../../src/transport/peer-certificates.ts';

export const PASSWORD = 'open: sesame';

const SALT = Buffer.alloc(16, 7);
const HASH = pbkdf2Sync(PASSWORD, SALT, 65_536, 20, 'sha1').toString('hex');
const METHODS: readonly (readonly [user: string, method: SourceMethod])[] = [
  ['ann', 'trust'],
  ['bob', 'password'],
  ['eve@example', 'certificate'],
];

const NO_METRICS: Metrics = { count() {}, gauge() {}, observe() {} };

export class Security {
  readonly gatekeeper: AgreedGatekeeper;
  #state: SecurityState = {
    ...NO_SECURITY,
    isEnabled: true,
    users: new Map(METHODS.map(([name, method]) => [name as ByteString, userBy(method)])),
    sources: METHODS.map(([user, method]) => ({
      user: user as ByteString,
      cidr: '127.0.0.1/32',
      method,
      options: new Map(),
    })),
  };

  constructor(metrics: Metrics = NO_METRICS) {
    this.gatekeeper = new AgreedGatekeeper(metrics, new PasswordHasher(metrics), () => this.#state);
  }

  set isEnabled(isEnabled: boolean) {
    this.#state = { ...this.#state, isEnabled };
  }

  /** Replaces what `user` is granted; on `any` where there is no target. */
  grant(user: string, permissions: readonly Permission[], target?: Target): void {
    const role = user as ByteString;
    const others = this.#state.grants.filter((grant) => grant.role !== role);
    const own = permissions.length === 0 ? [] : [{ role, target, permissions }];
    this.#state = { ...this.#state, grants: [...others, ...own] };
  }

  remove(user: string): void {
    const users = new Map(this.#state.users);
    users.delete(user as ByteString);
    this.#state = { ...this.#state, users };
  }
}

function userBy(method: SourceMethod): User {
  const password = method === 'password' ? { salt: SALT.toString('hex'), hash: HASH } : undefined;
  return { groups: [], options: new Map(), password };
}

interface Shown {
  readonly authority?: Authority;
  readonly ciphers?: string | undefined;
  readonly crlFile?: string;
}

/** What a listener shows, and the files of a client; `folder` is to be empty. */
export function certificatesIn(
  folder: string,
  host: Host,
  { authority = new Authority('clients'), ciphers, crlFile }: Shown = {},
): {
  readonly authority: Authority;
  readonly files: PeerTls;
  readonly certificates: CertificateFiles;
} {
  const files = authority.issue(folder, 'server');
  const certificates = new CertificateFiles(
    host,
    { ...files, ciphers, crlFile },
    CLIENT_CERTIFICATES,
  );
  return { authority, files, certificates };
}
