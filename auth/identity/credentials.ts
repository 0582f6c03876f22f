import type { Principal } from '../contract/index.ts';
import type { Credentials, FoundCredential } from '../sigv4/index.ts';
import type { Accounts } from './accounts.ts';
import { userArn } from './arns.ts';
import type { SessionEntity } from './entities.ts';
import { keys } from './keys.ts';
import { accountOfAccessKey } from './ids.ts';
import type { LastUses } from './last-uses.ts';
import type { Mirror } from './mirror.ts';
import type { Sessions } from './sessions.ts';

const unknown: FoundCredential = { refused: 'unknown' };

/** Finds who an access key stands for. Long-term keys come from the account's mirror, temporary ones from their own records. */
export class StoredCredentials implements Credentials {
  readonly #accounts: Accounts;
  readonly #sessions: Sessions;
  /** Opened secrets, so that the cipher runs once a key; bound by what is in the mirrors. */
  readonly #secrets = new Map<string, { readonly sealed: string; readonly secret: string }>();

  readonly #uses: LastUses;

  constructor(accounts: Accounts, sessions: Sessions, uses: LastUses) {
    this.#accounts = accounts;
    this.#sessions = sessions;
    this.#uses = uses;
  }

  /** @throws StoreUnavailable */
  async find(accessKeyId: string, sessionToken: string | undefined): Promise<FoundCredential> {
    const account = accountOfAccessKey(accessKeyId);
    if (account === undefined) return unknown;
    const mirror = await this.#accounts.mirror(account);
    if (mirror === undefined) return unknown;
    return accessKeyId.startsWith('ASIA')
      ? this.#temporary(account, mirror, accessKeyId, sessionToken)
      : this.#longTerm(account, mirror, accessKeyId, sessionToken);
  }

  async #longTerm(account: string, mirror: Mirror, id: string, token: string | undefined): Promise<FoundCredential> {
    if (mirror.get(keys.accessKey(id)) === undefined) await mirror.verify(); // It may have been made a moment ago, elsewhere.
    const key = mirror.get(keys.accessKey(id));
    if (key === undefined) return unknown;
    const user = mirror.get(keys.user(key.user));
    if (user === undefined || user.id !== key.userId) return unknown;
    if (key.status !== 'Active') return { refused: 'inactive' };
    if (token !== undefined) return { refused: 'bad-token' };
    const principal: Principal = { type: 'user', account, arn: userArn(account, user), id: user.id, accessKeyId: id };
    return {
      secret: this.#open(key.sealed, id),
      principal,
      used: (service, region) => this.#uses.note(account, id, service, region),
    };
  }

  async #temporary(account: string, mirror: Mirror, id: string, token: string | undefined): Promise<FoundCredential> {
    const session = await this.#sessions.find(id);
    if (session === undefined) return unknown;
    if (token === undefined || !this.#sessions.hasToken(session, token)) return { refused: 'bad-token' };
    if (session.expires <= this.#accounts.ports.clock.now()) return { refused: 'expired' };
    if (mirror.byId(session.issuerId) === undefined) await mirror.verify();
    if (mirror.byId(session.issuerId) === undefined) return unknown;
    const { kind, issuerId } = session;
    return {
      secret: this.#open(session.sealed, id),
      principal: sessionPrincipal(account, session),
      // What a role's sessions do is the role's use; those of users use no access key.
      ...(kind === 'role-session'
        ? { used: (service: string, region: string) => this.#uses.note(account, issuerId, service, region) }
        : {}),
    };
  }

  #open(sealed: string, id: string): string {
    const known = this.#secrets.get(id);
    if (known?.sealed === sealed) return known.secret;
    const secret = this.#accounts.ports.seal.open(sealed, id);
    if (this.#secrets.size >= 20_000) this.#secrets.clear();
    this.#secrets.set(id, { sealed, secret });
    return secret;
  }
}

const principalTypes = {
  'role-session': 'assumed-role',
  'user-session': 'user',
  'federated-session': 'federated-user',
} as const;

/** The principal that a session's credentials stand for. */
export function sessionPrincipal(
  account: string,
  session: Pick<SessionEntity, 'kind' | 'arn' | 'principalId' | 'accessKeyId' | 'expires'>,
): Principal {
  return {
    type: principalTypes[session.kind],
    account,
    arn: session.arn,
    id: session.principalId,
    accessKeyId: session.accessKeyId,
    expiresAt: session.expires,
  };
}
