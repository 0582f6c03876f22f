import { ECRClient, GetAuthorizationTokenCommand } from '@aws-sdk/client-ecr';

import type { RoleKeys } from './endpoint/index.ts';
import type { RegistryLogin } from './images.ts';
import type { AgentContainer, AgentTask, RoleCredentials } from '../wire/server-messages.ts';
import type { ResolvedOptions } from './options.ts';

/** A token is asked for again when less than this is left of it. Milliseconds. */
const margin = 300_000;

interface Kept {
  readonly login: Promise<RegistryLogin>;
  expiresAt: number;
}

/** Registry logins from GetAuthorizationToken, kept until shortly before they end. */
export class RegistryLogins {
  readonly #options: ResolvedOptions;
  readonly #kept = new Map<string, Kept>();
  readonly #keys: RoleKeys;

  /** `keys`: those of tasks' execution roles, which their images are pulled with. */
  constructor(options: ResolvedOptions, keys: RoleKeys) {
    this.#options = options;
    this.#keys = keys;
  }

  /** The login for a container's image; undefined when the payload names none. */
  async login(task: AgentTask, container: AgentContainer): Promise<RegistryLogin | undefined> {
    const authentication = container.registryAuthentication;
    if (authentication === undefined) return undefined;
    const data = authentication.ecrAuthData;
    const role = data?.useExecutionRole === true ? this.#keys.of(task.arn, 'TaskExecution') : undefined;
    const endpoint = data?.endpointOverride ?? this.#options.endpoint;
    const key = [endpoint, data?.registryId ?? '', role?.accessKeyId ?? ''].join(' ');
    const now = this.#options.clock.now();
    for (const [name, kept] of this.#kept) if (kept.expiresAt - margin <= now) this.#kept.delete(name);
    const known = this.#kept.get(key);
    if (known !== undefined) return known.login;
    const asked = this.#ask(endpoint, data, role);
    const kept: Kept = { login: asked.then(({ login }) => login), expiresAt: Number.POSITIVE_INFINITY };
    this.#kept.set(key, kept);
    try {
      kept.expiresAt = (await asked).expiresAt;
    } catch (error) {
      this.#kept.delete(key);
      throw error;
    }
    return kept.login;
  }

  async #ask(
    endpoint: string,
    data: NonNullable<AgentContainer['registryAuthentication']>['ecrAuthData'],
    role: RoleCredentials | undefined,
  ): Promise<{ login: RegistryLogin; expiresAt: number }> {
    const client = new ECRClient({
      endpoint,
      region: data?.region ?? this.#options.region,
      credentials:
        role === undefined
          ? this.#options.credentials
          : {
              accessKeyId: role.accessKeyId,
              secretAccessKey: role.secretAccessKey,
              sessionToken: role.sessionToken,
            },
      maxAttempts: 3,
      requestHandler: { requestTimeout: 15_000, connectionTimeout: 5_000 },
    });
    try {
      const answer = await client.send(
        new GetAuthorizationTokenCommand(data?.registryId === undefined ? {} : { registryIds: [data.registryId] }),
      );
      const [first] = answer.authorizationData ?? [];
      const [username, password] = Buffer.from(first?.authorizationToken ?? '', 'base64')
        .toString('utf8')
        .split(/:(.*)/s);
      if (username === undefined || password === undefined || first?.proxyEndpoint === undefined) {
        throw new Error('GetAuthorizationToken was answered without a token');
      }
      return {
        login: { username, password, serveraddress: first.proxyEndpoint },
        expiresAt: first.expiresAt?.getTime() ?? this.#options.clock.now() + margin * 2,
      };
    } finally {
      client.destroy();
    }
  }
}
