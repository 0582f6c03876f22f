import { rewritePrincipals } from '../policy/index.ts';
import type { Accounts } from './accounts.ts';
import { parseIdentityArn, roleArn, sessionArn, userArn } from './arns.ts';
import type { RoleEntity, UserEntity } from './entities.ts';
import { keys, partitionOf } from './keys.ts';
import { malformedPolicy } from './errors.ts';

/**
 * Policies that name users and roles name the ones that exist now: before a trust or resource policy is stored, their ARNs are
 * replaced by unique ids, and when it is shown, by the ARNs the ids have then. An id whose owner is gone stays an id, and a new user
 * of the same name is somebody else (IAM user guide, "Unique identifiers").
 */
export class PrincipalBinding {
  readonly #accounts: Accounts;

  constructor(accounts: Accounts) {
    this.#accounts = accounts;
  }

  /** @throws AwsError `MalformedPolicyDocumentException` when a named user or role does not exist */
  async bind(text: string): Promise<string> {
    const replacements = await this.#collect(text, (entry) => this.#idOf(entry));
    return rewritePrincipals(text, (entry) => replacements.get(entry) ?? entry);
  }

  /** The stored text with ARNs in place of the ids whose owners still exist. */
  async show(text: string): Promise<string> {
    if (!/"(?:AIDA|AROA)[A-Z0-9]/.test(text)) return text;
    const replacements = await this.#collect(text, (entry) => this.#arnOf(entry));
    return rewritePrincipals(text, (entry) => replacements.get(entry) ?? entry);
  }

  async #collect(text: string, find: (entry: string) => Promise<string | undefined>): Promise<Map<string, string>> {
    const entries = new Set<string>();
    rewritePrincipals(text, (entry) => {
      entries.add(entry);
      return entry;
    });
    const found = new Map<string, string>();
    for (const entry of entries) {
      const replacement = await find(entry);
      if (replacement !== undefined) found.set(entry, replacement);
    }
    return found;
  }

  async #idOf(entry: string): Promise<string | undefined> {
    const parsed = parseIdentityArn(entry);
    if (parsed === undefined || parsed.type === 'root' || parsed.type === 'federated-user') return undefined;
    const { account, type, name, path } = parsed;
    const get = async <T>(key: string): Promise<T | undefined> =>
      (await this.#accounts.ports.records.get<T>(partitionOf(account), key))?.value;
    if (type === 'user') {
      const user = await get<UserEntity>(keys.user(name));
      if (user !== undefined && userArn(account, user) === entry) return user.id;
    } else if (type === 'role') {
      const role = await get<RoleEntity>(keys.role(name));
      if (role !== undefined && roleArn(account, role) === entry) return role.id;
    } else if (type === 'assumed-role') {
      const role = await get<RoleEntity>(keys.role(path.slice(1, -1)));
      if (role !== undefined && sessionArn(account, role.name, name) === entry) return `${role.id}:${name}`;
    }
    throw malformedPolicy(`Invalid principal in policy: "AWS":"${entry}"`);
  }

  async #arnOf(entry: string): Promise<string | undefined> {
    const match = /^((?:AIDA|AROA)[A-Z0-9]+)(?::(.+))?$/.exec(entry);
    if (match === null) return undefined;
    const [, id = '', session] = match;
    const { names } = await this.#accounts.ports.records.partitions({ prefix: partitionOf(''), limit: 10_000 });
    for (const partition of names) {
      const account = partition.slice(partitionOf('').length);
      const mirror = await this.#accounts.mirror(account);
      const owner = mirror?.byId(id);
      if (owner?.kind === 'user') return userArn(account, owner);
      if (owner?.kind !== 'role') continue;
      return session === undefined ? roleArn(account, owner) : sessionArn(account, owner.name, session);
    }
    return undefined;
  }
}
