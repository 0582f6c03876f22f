import {
  type ContainerDefinition,
  DescribeTaskDefinitionCommand,
  type ECSClient,
  RegisterTaskDefinitionCommand,
  type RegisterTaskDefinitionCommandInput,
  type TaskDefinition,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { parseImageReference, sameRepository } from '@slipway/scheduler/references';
import { activeService, ecsClient, parseService } from './aws-client.ts';
import { deployByCodeDeploy, groupFor } from './deploy-by-codedeploy.ts';
import { watchOne } from './deployments.ts';
import { CliError } from './errors.ts';
import { note, parseOutput, print, printJson } from './output.ts';

export interface DeployOptions {
  readonly image: string;
  readonly container?: string;
  readonly wait?: true;
  readonly output: string;
}

/**
 * `slipway deploy`: registers a revision with an image and has the service deploy it, by the strategy that it has, or by CodeDeploy where
 * that is its controller. An image that it names already is deployed again, since its tag may be another image by now.
 */
export async function deploy(name: string, options: DeployOptions): Promise<void> {
  const output = parseOutput(options.output);
  const { cluster, service } = parseService(name);
  const client = ecsClient();
  const found = await activeService(client, cluster, service);
  const controller = found.deploymentController?.type;
  if (controller === 'EXTERNAL')
    throw new CliError(
      `${cluster}/${service} is deployed by its own controller (EXTERNAL): aws ecs create-task-set --cluster ${cluster} --service ${service} adds a task set`,
    );
  const group = controller === 'CODE_DEPLOY' ? await groupFor(cluster, service) : undefined;
  const taskDefinition = await revisionWith(client, found.taskDefinition ?? '', options);
  const deployed =
    group === undefined
      ? await deployByEcs(client, cluster, service, { taskDefinition, isSame: taskDefinition === found.taskDefinition })
      : { deploymentId: await deployByCodeDeploy(group, found, taskDefinition) };
  const id = 'deploymentId' in deployed ? deployed.deploymentId : deployed.serviceDeploymentArn;
  if (output === 'json' && !options.wait) printJson({ taskDefinition, ...deployed });
  if (output === 'text') print(`${cluster}/${service} deploys ${taskDefinition.split('/').at(-1) ?? ''}`);
  if (options.wait && id !== undefined) await watchOne(client, `${cluster}/${service}`, id, output);
  else if (output === 'text') note(`slipway deployments watch ${cluster}/${service} shows how it goes`);
}

/** @param isSame whether the service has this revision already, whose image may be another one by now */
async function deployByEcs(
  client: ECSClient,
  cluster: string,
  service: string,
  { taskDefinition, isSame }: { readonly taskDefinition: string; readonly isSame: boolean },
): Promise<{ readonly serviceDeploymentArn: string | undefined }> {
  const { service: updated } = await client.send(
    new UpdateServiceCommand({ cluster, service, taskDefinition, forceNewDeployment: isSame }),
  );
  return { serviceDeploymentArn: updated?.currentServiceDeployment };
}

/** The ARN of a revision that is like another one but for the image of a container. */
async function revisionWith(
  client: ECSClient,
  arn: string,
  { image, container }: Pick<DeployOptions, 'image' | 'container'>,
): Promise<string> {
  const { taskDefinition = {}, tags = [] } = await client.send(
    new DescribeTaskDefinitionCommand({ taskDefinition: arn, include: ['TAGS'] }),
  );
  const target = containerFor(taskDefinition, image, container);
  if (target.image === image) return arn;
  const { taskDefinition: registered } = await client.send(
    new RegisterTaskDefinitionCommand({
      ...registration(taskDefinition),
      containerDefinitions: (taskDefinition.containerDefinitions ?? []).map((one) =>
        one.name === target.name ? { ...one, image } : one,
      ),
      ...(tags.length === 0 ? {} : { tags }),
    }),
  );
  if (registered?.taskDefinitionArn === undefined) throw new CliError('no revision was registered');
  return registered.taskDefinitionArn;
}

/** What of a revision its registration said; the rest was added by ECS. */
export function registration(definition: TaskDefinition): RegisterTaskDefinitionCommandInput {
  const {
    taskDefinitionArn: _arn,
    revision: _revision,
    status: _status,
    requiresAttributes: _attributes,
    compatibilities: _compatibilities,
    registeredAt: _at,
    registeredBy: _by,
    deregisteredAt: _gone,
    deleteRequestedAt: _deleted,
    ...given
  } = definition;
  return { family: undefined, containerDefinitions: undefined, ...given };
}

function isOfRepository(image: string, wanted: string): boolean {
  const [one, other] = [parseImageReference(image), parseImageReference(wanted)];
  return one !== undefined && other !== undefined && sameRepository(one, other);
}

/** The container that gets the image: the named one, the only one, or the only one that runs this repository. @throws CliError */
export function containerFor(
  { family = '', revision = 0, containerDefinitions = [] }: TaskDefinition,
  image: string,
  container: string | undefined,
): ContainerDefinition {
  const names = containerDefinitions.map(({ name }) => name ?? '').join(', ');
  const candidates =
    container !== undefined
      ? containerDefinitions.filter(({ name }) => name === container)
      : containerDefinitions.length === 1
        ? containerDefinitions
        : containerDefinitions.filter((one) => isOfRepository(one.image ?? '', image));
  const [first] = candidates;
  if (first !== undefined && candidates.length === 1) return first;
  if (container !== undefined) throw new CliError(`${family}:${revision} has no container ${container}, only ${names}`);
  throw new CliError(`which container of ${family}:${revision} gets the image? Say it with --container: ${names}`, 2);
}
