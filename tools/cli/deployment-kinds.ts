import {
  DescribeServicesCommand,
  type ECSClient,
  type Service,
  type StopServiceDeploymentStopType,
} from '@aws-sdk/client-ecs';
import { codeDeployments } from './codedeploy-deployments.ts';
import { type Meant, meant } from './deployment-names.ts';
import { serviceDeployments } from './service-deployments.ts';
import { taskSetDeployments } from './task-sets.ts';

/** A deployment, whoever controls it: of ECS, of CodeDeploy, or a task set. */
export interface Shown {
  readonly id: string;
  /** What finds it again at once: an ARN, or the id of CodeDeploy's. */
  readonly ref: string;
  /** As the API describes it. */
  readonly json: unknown;
  /** Where it is, how traffic and tasks are shared out, and what it waits for. */
  readonly line: string;
  /** How it ended; undefined while it is under way. */
  readonly end?: { readonly isWell: boolean; readonly words: string };
  /** What else there is to show of it, a table each. */
  readonly details: () => Promise<readonly string[]>;
}

/** What is known of the deployments of a service, and what people may decide about them. */
export interface Kind {
  /** All that are remembered, newest first. */
  list(): Promise<{
    readonly json: readonly unknown[];
    readonly header: readonly string[];
    readonly rows: readonly (readonly string[])[];
  }>;
  /** @param id undefined: the newest. @returns undefined when there is none like that */
  find(id: string | undefined): Promise<Shown | undefined>;
  /** Lets one go on that waits. @throws CliError when it waits for nobody, or it is not said for what */
  goOn(id: string | undefined, choice: { readonly hook?: string; readonly endOld?: true }): Promise<Decided>;
  /** Has one go back. */
  goBack(id: string | undefined, how: StopServiceDeploymentStopType): Promise<Decided>;
}

/** What a person decided, for programs and for people. */
interface Decided {
  readonly json: object;
  readonly words: string;
}

/** A service with its deployments, and the one that is meant. */
export interface MeantDeployments extends Meant {
  /** For people: `default/web`. */
  readonly name: string;
  readonly kind: Kind;
}

/** @param name a service, or what names a deployment alone; @param id of a deployment of the service */
export async function deploymentsOf(client: ECSClient, name: string, id?: string): Promise<MeantDeployments> {
  const found = await meant(name, id);
  const { cluster, service } = found;
  const { services } = await client.send(new DescribeServicesCommand({ cluster, services: [service] }));
  return { ...found, name: `${cluster}/${service}`, kind: kindOf(client, cluster, service, services?.[0]) };
}

/** @param described undefined for a service that is no more, and of which ECS may remember deployments */
export function kindOf(client: ECSClient, cluster: string, service: string, described: Service | undefined): Kind {
  const type = described?.deploymentController?.type;
  if (type === 'CODE_DEPLOY') return codeDeployments(client, cluster, service);
  return type === 'EXTERNAL'
    ? taskSetDeployments(client, cluster, service)
    : serviceDeployments(client, cluster, service);
}
