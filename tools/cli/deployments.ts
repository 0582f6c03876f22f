import type { ECSClient, StopServiceDeploymentStopType } from '@aws-sdk/client-ecs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ecsClient } from './aws-client.ts';
import { deploymentsOf, type MeantDeployments, type Shown } from './deployment-kinds.ts';
import { CliError } from './errors.ts';
import { isFinal, Outages } from './outages.ts';
import { harmless, note, type Output, parseOutput, print, printJson, table } from './output.ts';

interface Options {
  readonly output: string;
}

/** Exit code of a deployment that ended without success. */
export const notDeployed = 3;
/** Milliseconds between looks at a deployment. */
const pause = 1000;
/** For how long a server may be away meanwhile: who waits in a script is told some time. Milliseconds. */
const patience = 600_000;

/** `slipway deployments list`: the deployments of a service that are remembered, newest first; of an EXTERNAL one its task sets. */
export async function listDeployments(name: string, options: Options): Promise<void> {
  const output = parseOutput(options.output);
  const { kind } = await deploymentsOf(ecsClient(), name);
  const { json, header, rows } = await kind.list();
  if (output === 'json') return printJson(json);
  print(table(header, rows));
}

/** `slipway deployments show`: stage, weights, tasks and hooks of one deployment. */
export async function showDeployment(name: string, id: string | undefined, options: Options): Promise<void> {
  const output = parseOutput(options.output);
  const meant = await deploymentsOf(ecsClient(), name, id);
  const deployment = await deploymentMeant(meant);
  if (output === 'json') return printJson(deployment.json);
  print(inOneLine(`${meant.name}, deployment ${deployment.id}: ${deployment.line}`));
  for (const part of await deployment.details()) {
    print();
    print(part);
  }
}

/** `slipway deployments watch`: a line for every change of a deployment until it is over; exit code 3 when it did not succeed. */
export async function watchDeployment(name: string, id: string | undefined, options: Options): Promise<void> {
  const output = parseOutput(options.output);
  await watch(await deploymentsOf(ecsClient(), name, id), output);
}

/** Follows a deployment of a service to its end, by its id or ARN. @throws CliError when it does not succeed */
export async function watchOne(client: ECSClient, name: string, id: string, output: Output): Promise<void> {
  await watch(await deploymentsOf(client, name, id), output);
}

async function watch(meant: MeantDeployments, output: Output): Promise<void> {
  // Which one is the newest is asked once: a later one is another matter.
  let deployment = await deploymentMeant(meant);
  const outages = new Outages(patience);
  for (let said = ''; ;) {
    const { line, json, end } = deployment;
    if (line !== said) {
      if (output === 'json') print(JSON.stringify(json));
      else print(`${new Date().toISOString()}  ${inOneLine(line)}`);
      said = line;
    }
    if (end?.isWell === true) return;
    if (end !== undefined) throw new CliError(`the deployment is ${end.words}`, notDeployed);
    await sleep(pause);
    try {
      deployment = (await meant.kind.find(deployment.ref)) ?? isGone(deployment);
      outages.over();
    } catch (error) {
      if (isFinal(error)) throw error;
      outages.failed(error);
    }
  }
}

/** Images, hooks and hosts may have had a say in it. */
const inOneLine = (text: string): string => harmless(text).replaceAll(/\n+/g, ' ');

const isGone = ({ id }: Shown): never => {
  throw new CliError(`${id} is not there any more`, notDeployed);
};

/** `slipway deployments continue`: lets a deployment go on that waits for a person. */
export async function continueDeployment(
  name: string,
  options: Options & { readonly hook?: string; readonly endOld?: true },
): Promise<void> {
  const output = parseOutput(options.output);
  const meant = await deploymentsOf(ecsClient(), name);
  const { json, words } = await meant.kind.goOn(meant.id, options);
  if (output === 'json') return printJson(json);
  print(`${meant.name} ${words}: slipway deployments watch ${name}`);
}

/** `slipway deployments rollback` and `stop`: traffic goes back to the old revision. */
export async function stopDeployment(
  name: string,
  stopType: StopServiceDeploymentStopType,
  options: Options,
): Promise<void> {
  const output = parseOutput(options.output);
  const meant = await deploymentsOf(ecsClient(), name);
  const { json, words } = await meant.kind.goBack(meant.id, stopType);
  if (output === 'json') return printJson(json);
  print(inOneLine(`${meant.name} ${words}`));
  note(`slipway deployments watch ${name} shows how it goes`);
}

/** The deployment that is meant. @throws CliError for none */
export async function deploymentMeant({
  kind,
  name,
  id,
}: Pick<MeantDeployments, 'kind' | 'name'> & { readonly id?: string | undefined }): Promise<Shown> {
  const one = await kind.find(id);
  if (one !== undefined) return one;
  throw new CliError(
    id === undefined
      ? `${name} has no deployments`
      : `${name} has no deployment ${id}: slipway deployments list ${name} shows them`,
  );
}
