import { createHmac } from 'node:crypto';

import type { Principal } from '@slipway/auth/contract';
import { LRUCache } from 'lru-cache';

import type { AgentControlOptions } from './options.ts';
import type { RoleCredentials } from '../wire/index.ts';

/** Credentials that say which of a task's roles they are of. */
export type IssuedCredentials = RoleCredentials & { readonly roleType: 'TaskApplication' | 'TaskExecution' };

/** Credentials are issued anew when less than this is left of them. Milliseconds. */
export const credentialMargin = 15 * 60_000;

const rememberedPrincipals = 10_000;

/** How often what comes near its end is forgotten; milliseconds. */
const lookEvery = 60_000;

/** Credentials of tasks' roles, issued once and given again until they are near their end: a payload may be sent many times. */
export class RoleCredentialsSource {
  readonly #options: AgentControlOptions;
  readonly #issued = new Map<string, IssuedCredentials>();
  #lookedAt = -Infinity;
  /** Made with the first of them: it holds places for all from its beginning. */
  #principals: LRUCache<string, Principal> | undefined;

  constructor(options: AgentControlOptions) {
    this.#options = options;
  }

  /**
   * Credentials with an id that is the same for the life of the task on every server: containers keep it in their
   * environment. The id is an HMAC, so it says nothing about other tasks' ids (and is the only secret there is).
   * @throws what the port throws
   */
  async get(taskArn: string, roleArn: string, roleType: IssuedCredentials['roleType']): Promise<IssuedCredentials> {
    const { taskCredentials, credentialIdKey } = this.#options;
    const key = keyOf(taskArn, roleType);
    const known = this.#issued.get(key);
    if (known?.roleArn === roleArn && !this.#ends(known)) return known;
    this.#forgetEnding();
    const { expiresAt, principal, ...keys } = await taskCredentials(roleArn, taskArn);
    this.#remember(taskArn, roleArn, principal);
    const hex = createHmac('sha256', credentialIdKey).update(key).digest('hex');
    const issued: IssuedCredentials = {
      credentialsId: hex.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
      roleArn,
      roleType,
      accessKeyId: keys.accessKeyId,
      secretAccessKey: keys.secretAccessKey,
      sessionToken: keys.sessionToken,
      expiration: new Date(expiresAt).toISOString(),
    };
    this.#issued.set(key, issued);
    return issued;
  }

  /**
   * The role as it writes for a task, also after its credentials have ended: what a task said at its end comes a little later.
   * @throws what the port throws
   */
  async principal(taskArn: string, roleArn: string): Promise<Principal> {
    const known = this.#principals?.get(`${roleArn}\n${taskArn}`);
    if (known !== undefined) return known;
    const { principal, accessKeyId } = await this.#options.taskCredentials(roleArn, taskArn);
    await this.#options.revokeTaskCredentials(accessKeyId);
    return this.#remember(taskArn, roleArn, principal);
  }

  #ends({ expiration }: IssuedCredentials): boolean {
    return Date.parse(expiration) - this.#options.clock.now() < credentialMargin;
  }

  /** Goes through all of them, so not with each one that is issued. */
  #forgetEnding(): void {
    const now = this.#options.clock.monotonic();
    if (now - this.#lookedAt < lookEvery) return;
    this.#lookedAt = now;
    for (const [key, issued] of this.#issued) if (this.#ends(issued)) this.#issued.delete(key);
  }

  /** Without the keys, which end: what the role may is looked at each time. */
  #remember(taskArn: string, roleArn: string, { type, account, arn, id }: Principal): Principal {
    const principal: Principal = { type, account, arn, id, delegated: true };
    this.#principals ??= new LRUCache<string, Principal>({ max: rememberedPrincipals });
    this.#principals.set(`${roleArn}\n${taskArn}`, principal);
    return principal;
  }

  /** Revokes what this server issued for a task that is over. What another server issued ends by its expiry. */
  async release(taskArn: string): Promise<void> {
    for (const roleType of ['TaskApplication', 'TaskExecution'] as const) {
      const key = keyOf(taskArn, roleType);
      const issued = this.#issued.get(key);
      this.#issued.delete(key);
      if (issued !== undefined) await this.#options.revokeTaskCredentials(issued.accessKeyId);
    }
  }
}

const keyOf = (taskArn: string, roleType: IssuedCredentials['roleType']): string => `${roleType}\n${taskArn}`;
