import {
  CreateServiceCommand,
  type ECSClient,
  type LoadBalancer,
  RegisterTaskDefinitionCommand,
  type RegisterTaskDefinitionCommandInput,
  type Service,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { type BalancerMade, makeBalancer, prune, removeBalancer } from './balancers.ts';
import type { Plan, ServicePlan } from './plan.ts';
import { projectTag } from './registration.ts';
import { removeService } from './remove.ts';

/** A service that is as the file says, or on its way there. */
export interface Applied {
  readonly service: string;
  readonly taskDefinition: string;
  readonly tasks: number;
  readonly balancer?: BalancerMade;
  readonly changed: boolean;
}

export interface ApplyContext {
  readonly ecs: ECSClient;
  readonly cluster: string;
  readonly project: string;
  /** Who may connect to load balancers, CIDR; undefined leaves that as it is. */
  readonly from?: string;
  readonly registrations: ReadonlyMap<string, RegisterTaskDefinitionCommandInput>;
  readonly say: (line: string) => void;
}

/** Does what a plan says of services; images are pushed by now. What was half done when it fails, a second run completes. */
export async function applyServices(plan: Plan, context: ApplyContext): Promise<readonly Applied[]> {
  const applied: Applied[] = [];
  for (const service of plan.services) applied.push(await applyService(service, context));
  for (const { serviceName = '' } of plan.gone) {
    context.say(`removing service ${serviceName}`);
    await removeService(context.ecs, context.cluster, serviceName, context.project);
  }
  return applied;
}

async function applyService(plan: ServicePlan, context: ApplyContext): Promise<Applied> {
  const { wanted, now } = plan;
  const { ecs, cluster, project, from, registrations, say } = context;
  const isAway = wanted.publish.length > 0 && now?.service.loadBalancers?.length === 0;
  const balancer = wanted.publish.length === 0 ? undefined : await makeBalancer(cluster, wanted, from);
  if (plan.balancer === 'make') say(`made the load balancer of ${wanted.name}`);
  const loadBalancers: LoadBalancer[] = (balancer?.groups ?? []).map(
    ({ targetGroupArn, container, containerPort }) => ({
      targetGroupArn,
      containerName: container,
      containerPort,
    }),
  );
  const registration = registrations.get(wanted.name);
  if (registration === undefined) throw new TypeError(`no revision of ${wanted.name}`);
  const taskDefinition = plan.revision
    ? ((await ecs.send(new RegisterTaskDefinitionCommand(registration))).taskDefinition?.taskDefinitionArn ?? '')
    : (now?.service.taskDefinition ?? '');
  const tasks = wanted.count ?? now?.service.desiredCount ?? 1;
  const common = { cluster, taskDefinition };
  const moved = plan.balancer === 'change' || plan.balancer === 'remove' || plan.balancer === 'make' || isAway;
  const changed = now === undefined || plan.revision || plan.count || plan.retry || moved;
  if (now === undefined) {
    await ecs.send(
      new CreateServiceCommand({
        ...common,
        serviceName: wanted.name,
        desiredCount: tasks,
        loadBalancers,
        deploymentConfiguration: { deploymentCircuitBreaker: { enable: true, rollback: true } },
        tags: [{ key: projectTag, value: project }],
      }),
    );
    say(`made the service ${wanted.name}`);
  } else if (changed) {
    const targets = newTargets(now.service, loadBalancers, moved);
    await ecs.send(
      new UpdateServiceCommand({
        ...common,
        service: wanted.name,
        // What scaling has set since the plan was made stays.
        ...(wanted.count === undefined ? {} : { desiredCount: wanted.count }),
        ...(plan.retry ? { forceNewDeployment: true } : {}),
        ...(targets === undefined ? {} : { loadBalancers: [...targets] }),
      }),
    );
    say(`changed the service ${wanted.name}`);
  }
  if (plan.balancer === 'change' && balancer !== undefined) await prune(balancer);
  if (plan.balancer === 'remove') await removeBalancer(cluster, wanted.name);
  return {
    service: wanted.name,
    taskDefinition,
    tasks,
    ...(balancer === undefined ? {} : { balancer }),
    changed,
  };
}

const targetsOf = (all: readonly LoadBalancer[]): string =>
  all
    .map(({ targetGroupArn, containerName, containerPort }) => `${targetGroupArn} ${containerName} ${containerPort}`)
    .toSorted()
    .join('\n');

/**
 * What a service is to be told of its target groups; undefined leaves them, with all that slipway strategy has set there.
 * @param moved its load balancer is another one now, or has other listeners
 */
export function newTargets(
  { loadBalancers: now = [] }: Service,
  wanted: readonly LoadBalancer[],
  moved: boolean,
): readonly LoadBalancer[] | undefined {
  const before = (one: LoadBalancer): LoadBalancer | undefined =>
    now.find(({ targetGroupArn }) => targetGroupArn === one.targetGroupArn);
  const kept = wanted.map((one) => {
    const { advancedConfiguration } = before(one) ?? {};
    return advancedConfiguration === undefined ? one : { ...one, advancedConfiguration };
  });
  if (moved) return targetsOf(now) === targetsOf(wanted) ? undefined : kept;
  // A revision whose container has another port is refused without it.
  const isElsewhere = (one: LoadBalancer): boolean => {
    const found = before(one);
    return found !== undefined && targetsOf([found]) !== targetsOf([one]);
  };
  if (!wanted.some(isElsewhere)) return undefined;
  const others = now.filter((one) => !wanted.some(({ targetGroupArn }) => targetGroupArn === one.targetGroupArn));
  return [...others, ...kept];
}
