import { ECSClient, type ECSServiceException } from '@aws-sdk/client-ecs';
import {
  CreateClusterCommand,
  DiscoverPollEndpointCommand,
  RegisterContainerInstanceCommand,
  SubmitTaskStateChangeCommand,
} from '@aws-sdk/client-ecs';

import { hostSecretHeader } from '@slipway/auth/contract';

import { type Host, totalResources } from './host.ts';
import type { ResolvedOptions } from './options.ts';
import type { Submission, TaskReport } from './report.ts';

/**
 * How long the agent waits for an answer of the control plane's APIs, in milliseconds. A server that lost its store may hold a request
 * for as long as the proxy before it lets it; without the last member the SDK would only say that the time is over, and wait on.
 */
export const patience = { requestTimeout: 15_000, connectionTimeout: 5_000, throwOnRequestTimeout: true } as const;

/** What the agent remembers of its registration. */
export interface Registration {
  readonly containerInstanceArn: string;
  readonly cpu: number;
  readonly memory: number;
}

/** The control plane refused, and will refuse again until a person changes something. */
export class Refused extends Error {
  override readonly name = 'Refused';
}

/** Codes that mean that the same request never succeeds, as amazon-ecs-agent reads them. */
const terminal = new Set(['AccessDeniedException', 'ClientException', 'InvalidParameterException']);

const isTerminal = (error: unknown): error is ECSServiceException => error instanceof Error && terminal.has(error.name);

/** What sends the commands of the ECS API. */
export type EcsSender = Pick<ECSClient, 'send' | 'destroy'>;

/** The SDK's client at the agent's endpoint, with its keys and the secret of its host. */
export const ecsClient = (options: ResolvedOptions, hostSecret: () => string): EcsSender =>
  showingSecret(
    new ECSClient({
      endpoint: options.endpoint,
      region: options.region,
      credentials: options.credentials,
      maxAttempts: 1,
      requestHandler: patience,
    }),
    hostSecret,
  );

/** Makes a client show the secret of its host with every request; the signature covers it. @returns the client */
export function showingSecret(client: ECSClient, hostSecret: () => string): ECSClient {
  client.middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as { headers: Record<string, string> };
      headers[hostSecretHeader] = hostSecret();
      return next(args);
    },
    { step: 'build', name: 'hostSecret' },
  );
  return client;
}

/** The ECS API as an agent uses it. */
export class ControlPlaneClient {
  readonly #options: ResolvedOptions;
  readonly #client: EcsSender;

  constructor(options: ResolvedOptions, client: EcsSender) {
    this.#options = options;
    this.#client = client;
  }

  /**
   * Registers this host, as the instance it was before when there is one. A cluster `default` that does not exist is
   * created, as amazon-ecs-agent does.
   * @param leave ends what the instance ran that the control plane does not know any more, before there is a new one
   * @throws Refused when registering again is pointless; what `leave` throws; anything else may pass
   */
  async register(host: Host, known: Registration | undefined, leave: () => Promise<void>): Promise<Registration> {
    // Memory differs a little after a kernel update; what was registered stands while the host can still honour it.
    const same =
      known !== undefined && known.cpu === host.cpu && Math.abs(host.memory - known.memory) <= known.memory / 20;
    const { cpu, memory } = same ? known : host;
    try {
      const arn = await this.#register(host, cpu, memory, known?.containerInstanceArn);
      return { containerInstanceArn: arn, cpu, memory };
    } catch (error) {
      const noCluster = error instanceof Error && error.name === 'ClusterNotFoundException';
      if (known !== undefined && (noCluster || isGone(error))) {
        this.#options.log.warn(
          { containerInstance: known.containerInstanceArn },
          'this container instance was deregistered: what it ran was given up and replaced elsewhere; ending that, and registering a new one',
        );
        await leave();
        return await this.register(host, undefined, leave);
      }
      if (noCluster && this.#options.cluster === 'default') {
        await this.#client.send(new CreateClusterCommand({ clusterName: 'default' }));
        return await this.register(host, undefined, leave);
      }
      if (isTerminal(error))
        throw new Refused(`cannot register with cluster ${this.#options.cluster}: ${error.message}`, { cause: error });
      throw error;
    }
  }

  /**
   * Tells what has changed of a host that is registered.
   * @throws Refused when the instance is not registered any more, or registering is pointless; anything else may pass
   */
  async registerAgain(host: Host, known: Registration): Promise<Registration> {
    try {
      await this.#register(host, known.cpu, known.memory, known.containerInstanceArn);
      return known;
    } catch (error) {
      if (isTerminal(error)) throw new Refused(error.message, { cause: error });
      throw error;
    }
  }

  /** Where the two WebSockets are. */
  async discover(containerInstanceArn: string): Promise<{ readonly control: string; readonly telemetry: string }> {
    const { endpoint, telemetryEndpoint } = await this.#client.send(
      new DiscoverPollEndpointCommand({ containerInstance: containerInstanceArn, cluster: this.#options.cluster }),
    );
    if (endpoint === undefined || telemetryEndpoint === undefined) {
      throw new Error('DiscoverPollEndpoint did not say where to connect');
    }
    return { control: endpoint, telemetry: telemetryEndpoint };
  }

  /** SubmitTaskStateChange. Rejects when it is worth trying again. */
  async submit(report: TaskReport): Promise<Submission> {
    try {
      await this.#client.send(
        new SubmitTaskStateChangeCommand({
          cluster: clusterOf(report.arn) ?? this.#options.cluster,
          task: report.arn,
          status: report.status,
          ...(report.reason === undefined ? {} : { reason: report.reason.slice(0, 1024) }),
          containers: report.containers.map(({ name, reason, networkBindings, ...rest }) => ({
            containerName: name,
            ...rest,
            ...(reason === undefined ? {} : { reason: reason.slice(0, 1024) }),
            networkBindings: [...networkBindings],
          })),
          ...dates(report),
        }),
      );
      return 'accepted';
    } catch (error) {
      if (isTerminal(error)) return 'refused';
      throw error;
    }
  }

  close(): void {
    this.#client.destroy();
  }

  async #register(host: Host, cpu: number, memory: number, arn: string | undefined): Promise<string> {
    const { cluster, tags } = this.#options;
    const { containerInstance } = await this.#client.send(
      new RegisterContainerInstanceCommand({
        cluster,
        ...(arn === undefined ? {} : { containerInstanceArn: arn }),
        instanceIdentityDocument: '',
        instanceIdentityDocumentSignature: '',
        totalResources: totalResources(cpu, memory),
        attributes: [...host.attributes],
        ...(arn === undefined ? { tags: Object.entries(tags).map(([key, value]) => ({ key, value })) } : {}),
      }),
    );
    if (containerInstance?.containerInstanceArn === undefined)
      throw new Error('the registration was answered without an ARN');
    return containerInstance.containerInstanceArn;
  }
}

/** Whether an answer says that the instance was deregistered, or that the control plane has lost it. */
export const isGone = (error: unknown): boolean =>
  error instanceof Error && error.name === 'InvalidParameterException' && /not registered/.test(error.message);

const clusterOf = (arn: string): string | undefined => /:task\/([^/]+)\//.exec(arn)?.[1];

function dates(report: TaskReport): { [name: string]: Date } {
  const named = (['pullStartedAt', 'pullStoppedAt', 'executionStoppedAt'] as const).flatMap((name) => {
    const time = report[name];
    return time === undefined ? [] : [[name, new Date(time)] as const];
  });
  return Object.fromEntries(named);
}
