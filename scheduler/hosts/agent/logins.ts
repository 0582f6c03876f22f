import { ECRClient, ECRServiceException, GetAuthorizationTokenCommand } from '@aws-sdk/client-ecr';

import { registryOf } from '../../references/index.ts';

import { patience } from './control-plane-client.ts';
import type { RoleKeys } from './endpoint/index.ts';
import type { AgentContainer, AgentTask, RoleCredentials } from '../wire/index.ts';
import type { ResolvedOptions } from './options.ts';
import { type AgentReach, isOwn } from './policy.ts';
import type { SecretValues } from './secret-values.ts';

/** A token is asked for again when less than this is left of it. Milliseconds. */
const margin = 300_000;

/** User and password for one registry. */
export interface RegistryLogin {
  readonly username: string;
  readonly password: string;
  readonly serveraddress: string;
}

interface Login {
  readonly login: RegistryLogin;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** What an image is pulled with. */
export interface PullRights {
  /** Whose rights they are: pulls of one image share an answer only when it is the same one's. */
  readonly of: string;
  /**
   * The registry's login; undefined when the image needs none.
   * @throws LoginRefused when asking again is pointless, LoginUnanswered, and whatever else GetAuthorizationToken fails with
   */
  readonly login: () => Promise<RegistryLogin | undefined>;
  /** Whether the registry is the control plane's own, so that its words may be told to who may see the task. */
  readonly own: boolean;
  /**
   * Whether the engine may be sent to the registry now.
   * @throws ImageRefused, RegistryUnresolved
   */
  readonly check: () => Promise<void>;
}

/** GetAuthorizationToken was refused, and will be refused again until a person changes something. */
export class LoginRefused extends Error {
  override readonly name = 'LoginRefused';
}

/** GetAuthorizationToken was not answered in its own words: the control plane may be about to come back. */
export class LoginUnanswered extends Error {
  override readonly name = 'LoginUnanswered';
}

/** Registry logins from GetAuthorizationToken, kept until shortly before they end. */
export class RegistryLogins {
  readonly #options: ResolvedOptions;
  readonly #kept = new Map<string, Login>();
  readonly #asked = new Map<string, Promise<Login>>();
  readonly #keys: RoleKeys;
  readonly #secrets: Pick<SecretValues, 'of'>;
  readonly #reach: AgentReach;

  /** @param keys those of tasks' execution roles, which their images are pulled with  @param secrets with the logins of other registries */
  constructor(options: ResolvedOptions, keys: RoleKeys, secrets: Pick<SecretValues, 'of'>, reach: AgentReach) {
    this.#options = options;
    this.#keys = keys;
    this.#secrets = secrets;
    this.#reach = reach;
  }

  /**
   * What a container's image is pulled with. A task with an execution role never gets the agent's own rights: after a
   * restart its pull waits until the control plane has sent the role's credentials again.
   */
  rights(task: AgentTask, container: AgentContainer): PullRights {
    const data = container.registryAuthentication?.ecrAuthData;
    const byRole = data?.useExecutionRole === true;
    const { registries, resolve } = this.#reach;
    const own = isOwn(container, this.#reach);
    const given = container.registryAuthentication?.type === 'asm';
    return {
      own: own(registryOf(container.image)),
      check: () => registries.settle(container.image, { own, resolve }),
      // A login of one's own is nobody else's.
      of: given
        ? `${task.arn} ${container.name}`
        : byRole
          ? (this.#keys.of(task.arn, 'TaskExecution')?.roleArn ?? task.arn)
          : '',
      login: async () => {
        if (container.registryAuthentication === undefined) return undefined;
        if (given) return this.#given(task, container);
        return this.#login(data, byRole ? await this.#keys.wait(task.arn, 'TaskExecution') : undefined);
      },
    };
  }

  /** The login that the task's own secret holds. @throws LoginRefused when it has none */
  #given(task: AgentTask, { name, image }: AgentContainer): RegistryLogin {
    const { registry } = this.#secrets.of(task.arn, name);
    if (registry === undefined) throw new LoginRefused('the login of the registry did not come with the task');
    const host = registryOf(image);
    return { ...registry, serveraddress: host === 'docker.io' ? 'https://index.docker.io/v1/' : host };
  }

  async #login(data: EcrAuthData, role: RoleCredentials | undefined): Promise<RegistryLogin> {
    const endpoint = data?.endpointOverride ?? this.#options.endpoint;
    const key = [endpoint, data?.registryId ?? '', role?.accessKeyId ?? ''].join(' ');
    const now = this.#options.clock.now();
    for (const [name, kept] of this.#kept) if (kept.expiresAt - margin <= now) this.#kept.delete(name);
    const known = this.#kept.get(key);
    if (known !== undefined) return known.login;
    let asked = this.#asked.get(key);
    if (asked === undefined) {
      asked = this.#ask(endpoint, data, role);
      this.#asked.set(key, asked);
    }
    try {
      const answer = await asked;
      this.#kept.set(key, answer);
      return answer.login;
    } finally {
      if (this.#asked.get(key) === asked) this.#asked.delete(key);
    }
  }

  async #ask(endpoint: string, data: EcrAuthData, role: RoleCredentials | undefined): Promise<Login> {
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
      requestHandler: patience,
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
    } catch (error) {
      // Its words may repeat what was read.
      if (!(error instanceof ECRServiceException))
        throw new LoginUnanswered('GetAuthorizationToken was not answered, or not as it should be', { cause: error });
      if (!isRefusal(error)) throw error;
      throw new LoginRefused(`${error.name}: ${error.message}`, { cause: error });
    } finally {
      client.destroy();
    }
  }
}

type EcrAuthData = NonNullable<AgentContainer['registryAuthentication']>['ecrAuthData'];

/** The caller is at fault, and not because it asked too often. */
const isRefusal = (error: unknown): error is ECRServiceException =>
  error instanceof ECRServiceException && error.$fault === 'client' && error.$retryable === undefined;
