import {
  CodeDeployServiceException,
  CreateDeploymentCommand,
  type CreateDeploymentCommandInput,
  type DeploymentInfo,
  GetDeploymentCommand,
  GetDeploymentTargetCommand,
} from '@aws-sdk/client-codedeploy';
import { DescribeServicesCommand, type Service } from '@aws-sdk/client-ecs';
import { expect, vi } from 'vitest';

import { addGroup, addService, type TestCodeDeploy } from './open-codedeploy.ts';

type Named = Awaited<ReturnType<typeof addGroup>>;

/** A service with its group, and another revision of it to deploy. */
export async function prepare(
  opened: TestCodeDeploy,
  name: string,
  changes: Parameters<typeof addGroup>[2] = {},
): Promise<{ named: Named; next: string }> {
  await addService(opened, name);
  const named = await addGroup(opened, name, changes);
  const { taskDefinitionArn = '' } = await opened.api.define({
    family: name,
    containerDefinitions: [{ name: 'main', image: 'busybox', memory: 64, portMappings: [{ containerPort: 80 }] }],
  });
  return { named, next: taskDefinitionArn };
}

/** Begins a deployment by a group. @returns its id */
export const deploy = async (
  { codedeploy }: TestCodeDeploy,
  named: Named,
  input: Partial<CreateDeploymentCommandInput>,
): Promise<string> => (await codedeploy.send(new CreateDeploymentCommand({ ...named, ...input }))).deploymentId ?? '';

/** The deployment, once it is as is wanted. */
export const until = (
  { codedeploy }: TestCodeDeploy,
  deploymentId: string,
  wanted: Partial<DeploymentInfo>,
): Promise<DeploymentInfo> =>
  vi.waitFor(
    async () => {
      const { deploymentInfo = {} } = await codedeploy.send(new GetDeploymentCommand({ deploymentId }));
      expect(deploymentInfo).toMatchObject(wanted);
      return deploymentInfo;
    },
    { timeout: 60_000, interval: 50 },
  );

/** How the lifecycle events of a deployment of a service stand, by their names. */
export async function events(
  { codedeploy }: TestCodeDeploy,
  deploymentId: string,
  service: string,
): Promise<Record<string, string | undefined>> {
  const input = { deploymentId, targetId: `default:${service}` };
  const { deploymentTarget } = await codedeploy.send(new GetDeploymentTargetCommand(input));
  return Object.fromEntries(
    (deploymentTarget?.ecsTarget?.lifecycleEvents ?? []).map((one) => [one.lifecycleEventName ?? '', one.status]),
  );
}

/** The service as ECS shows it; empty where there is none. */
export async function describeService({ api }: TestCodeDeploy, name: string): Promise<Service> {
  const { services } = await api.ecs.send(new DescribeServicesCommand({ services: [name] }));
  return services?.[0] ?? {};
}

/** How CodeDeploy refuses a request. */
export async function refusal(request: Promise<unknown>): Promise<{ name: string; message: string }> {
  const error: unknown = await request.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof CodeDeployServiceException)) throw new Error('it was not refused', { cause: error });
  return { name: error.name, message: error.message };
}
