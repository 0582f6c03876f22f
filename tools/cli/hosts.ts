import { type ContainerInstance, type ECSClient, paginateListContainerInstances } from '@aws-sdk/client-ecs';
import { ecsClient } from './aws-client.ts';
import { CliError } from './errors.ts';
import { parseOutput, print, printJson } from './output.ts';
import { askServer } from './own-routes.ts';

interface Reclaimed {
  readonly containerInstanceArn: string;
  readonly reclaimedAt: string;
  readonly goneAt: string;
}

/** `slipway hosts reclaim HOST`: a host that was joined with `--spot` is taken back; its tasks have two minutes. */
export async function reclaimHost(
  host: string,
  options: { readonly cluster: string; readonly output: string },
): Promise<void> {
  const output = parseOutput(options.output);
  const id = await instanceId(ecsClient(), options.cluster, host);
  const told = (await askServer('POST', `/slipway/hosts/${options.cluster}/${id}/reclaim`)) as Reclaimed;
  if (output === 'json') {
    printJson(told);
    return;
  }
  print(`${told.containerInstanceArn}`);
  print(
    `gets no more tasks and is to go at ${told.goneAt}. Its tasks of services run until their successors are healthy,`,
  );
  print('the others were told to stop. It stays DRAINING; when it stays after all:');
  print(
    `aws ecs update-container-instances-state --cluster ${options.cluster} --container-instances ${id} --status ACTIVE`,
  );
}

/** The container instance that somebody means by its ARN, its id, or the beginning of its id where only one begins so. */
async function instanceId(client: Pick<ECSClient, 'send'>, cluster: string, host: string): Promise<string> {
  const wanted = host.split('/').at(-1) ?? '';
  const found: string[] = [];
  for await (const { containerInstanceArns = [] } of paginateListContainerInstances(
    { client: client as ECSClient },
    { cluster },
  ))
    found.push(...containerInstanceArns.map(idOf).filter((id) => wanted !== '' && id.startsWith(wanted)));
  const [id] = found;
  if (id === undefined)
    throw new CliError(
      `there is no container instance ${host} in the cluster ${cluster}: aws ecs list-container-instances --cluster ${cluster} shows them`,
    );
  if (found.length > 1) throw new CliError(`${host} may be each of ${found.join(', ')}: say more of the id`, 2);
  return id;
}

const idOf = (arn: NonNullable<ContainerInstance['containerInstanceArn']>): string => arn.split('/').at(-1) ?? '';
