import type { Call, Operations } from '../../contract/index.ts';
import type { Accounts } from '../accounts.ts';
import { parseIdentityArn, roleArn } from '../arns.ts';
import type { RoleEntity, SessionEntity } from '../entities.ts';
import { keys, partitionOf } from '../keys.ts';
import type { Sessions } from '../sessions.ts';
import type { WebIdentities } from './web-identity.ts';

/** The SDK client module whose operations are served. */
export type StsModule = typeof import('@aws-sdk/client-sts');
export type StsOperations = Operations<StsModule>;

/** What the STS operations work with. */
export class Sts {
  readonly accounts: Accounts;
  readonly sessions: Sessions;
  readonly webIdentities: WebIdentities;

  constructor(accounts: Accounts, sessions: Sessions, webIdentities: WebIdentities) {
    this.accounts = accounts;
    this.sessions = sessions;
    this.webIdentities = webIdentities;
  }

  /** A role of any account here, as the store has it now. */
  async role(arn: string | undefined): Promise<{ account: string; role: RoleEntity } | undefined> {
    const parsed = parseIdentityArn(arn ?? '');
    if (parsed?.type !== 'role' || !/^\d{12}$/.test(parsed.account)) return undefined;
    const { account, name } = parsed;
    const role = (await this.accounts.ports.records.get<RoleEntity>(partitionOf(account), keys.role(name)))?.value;
    return role !== undefined && roleArn(account, role) === arn ? { account, role } : undefined;
  }

  /** The session that the caller's credentials belong to. */
  async sessionOf(call: Call): Promise<SessionEntity | undefined> {
    const id = call.principal.accessKeyId;
    return id?.startsWith('ASIA') === true ? this.sessions.find(id) : undefined;
  }

  now(): number {
    return this.accounts.ports.clock.now();
  }
}
