import {
  DeleteRepositoryCommand,
  ECRClient,
  ListTagsForResourceCommand,
  paginateDescribeImages,
} from '@aws-sdk/client-ecr';
import { type ECSClient, paginateListClusters } from '@aws-sdk/client-ecs';
import { clientSettings, ecsClient } from '../aws-client.ts';
import { callJson } from '../json-api.ts';
import { repositoriesOf, users } from '../images.ts';
import { note, parseOutput, print, printJson } from '../output.ts';
import { ApiError } from '../query-api.ts';
import { agree } from './agree.ts';
import { findInput, projectOf } from './input.ts';
import { nameFrom } from './model.ts';
import { servicesOf } from './observe.ts';
import { ownerOf } from './plan.ts';
import { projectTag } from './registration.ts';
import { removeService } from './remove.ts';

export interface DownOptions {
  readonly cluster: string;
  readonly name?: string;
  readonly all?: true;
  readonly yes?: true;
  readonly output: string;
}

/** `slipway down`: ends what `slipway up` has made of a project. Images, log lines and volumes stay, unless all is to go. */
export async function down(what: string | undefined, options: DownOptions): Promise<void> {
  const output = parseOutput(options.output);
  const project = options.name === undefined ? projectOf(findInput(what), process.env) : nameFrom(options.name);
  const settings = clientSettings();
  const ecs = ecsClient();
  const ecr = new ECRClient(settings);
  // A run that was cut may have left some of them on their way out.
  const services = (await servicesOf(ecs, options.cluster, true)).filter((service) => ownerOf(service) === project);
  const names = services.map(({ serviceName = '' }) => serviceName);
  const usedBy = options.all ? await users(ecs) : new Map<string, ReadonlySet<string>>();
  const own = new Set(names.map((name) => `${options.cluster}/${name}`));
  const repositories = options.all ? await ownRepositories(ecr, project, usedBy, own) : [];
  const group = options.all === true && (await hasOwnGroup(project)) && !(await isWrittenElsewhere(ecs, project, own));
  const lines = [
    ...names.map((name) => `  - service ${name}`),
    ...repositories.map((name) => `  - repository ${name} with its images`),
    ...(group ? [`  - log group ${project} with its lines`] : []),
  ];
  if (lines.length > 0) {
    if (output === 'text') lines.forEach(note);
    if (!options.yes)
      await agree({ question: 'Remove them?', instead: '--yes', nothing: 'nothing was removed' }, output);
  }
  for (const name of names) {
    await removeService(ecs, options.cluster, name, project);
    note(`removed ${name}`);
  }
  for (const repositoryName of repositories)
    await ecr.send(new DeleteRepositoryCommand({ repositoryName, force: true }));
  if (group) await callJson('logs', 'DeleteLogGroup', { logGroupName: project });
  if (output === 'json') printJson({ project, services: names, repositories, logGroup: group ? project : null });
  else if (lines.length === 0) print(`nothing of ${project} runs in the cluster ${options.cluster}`);
  else if (!options.all)
    note(`its images, log lines and volumes stay: slipway down --all removes images and lines, too`);
}

/** The repositories that `slipway up` has made for a project; not those of which others than its services run something. */
async function ownRepositories(
  client: ECRClient,
  project: string,
  usedBy: ReadonlyMap<string, ReadonlySet<string>>,
  own: ReadonlySet<string>,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { repositoryName = '', repositoryArn } of await repositoriesOf(client)) {
    const { tags = [] } = await client.send(new ListTagsForResourceCommand({ resourceArn: repositoryArn }));
    if (!tags.some(({ Key, Value }) => Key === projectTag && Value === project)) continue;
    const others = new Set<string>();
    for await (const { imageDetails = [] } of paginateDescribeImages({ client }, { repositoryName }))
      for (const { imageDigest = '' } of imageDetails)
        for (const who of usedBy.get(imageDigest) ?? []) if (!own.has(who)) others.add(who);
    if (others.size === 0) found.push(repositoryName);
    else note(`the repository ${repositoryName} stays: ${[...others].join(', ')} run from it`);
  }
  return found;
}

/** Whether services of the project in other clusters write to its log group. */
async function isWrittenElsewhere(ecs: ECSClient, project: string, own: ReadonlySet<string>): Promise<boolean> {
  const names: string[] = [];
  for await (const { clusterArns = [] } of paginateListClusters({ client: ecs }, {}))
    for (const cluster of clusterArns.map((arn) => arn.split('/').at(-1) ?? ''))
      for (const service of await servicesOf(ecs, cluster))
        if (ownerOf(service) === project) names.push(`${cluster}/${service.serviceName ?? ''}`);
  const others = names.filter((name) => !own.has(name));
  if (others.length > 0) note(`the log group ${project} stays: ${others.join(', ')} write to it`);
  return others.length > 0;
}

async function hasOwnGroup(name: string): Promise<boolean> {
  try {
    const { tags } = await callJson<{ tags?: Record<string, string> }>('logs', 'ListTagsLogGroup', {
      logGroupName: name,
    });
    return tags?.[projectTag] === name;
  } catch (error) {
    if (error instanceof ApiError && error.code === 'ResourceNotFoundException') return false;
    throw error;
  }
}
