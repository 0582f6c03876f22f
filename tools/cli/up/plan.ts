import type { RegisterTaskDefinitionCommandInput, Service, TaskDefinition } from '@aws-sdk/client-ecs';
import { CliError } from '../errors.ts';
import type { App, AppService } from './model.ts';
import { differences, projectTag } from './registration.ts';

/** How a service stands, as far as `slipway up` cares. */
export interface ServiceNow {
  readonly service: Service;
  readonly taskDefinition?: TaskDefinition;
  /** Tag of the revision. */
  readonly state?: string;
  readonly balancer?: BalancerNow;
}

export interface BalancerNow {
  readonly ports: readonly number[];
  readonly healthPath: string;
  /** Who may connect, CIDR. */
  readonly from: readonly string[];
}

export interface Now {
  /** All services of the cluster by name. */
  readonly services: ReadonlyMap<string, ServiceNow>;
  readonly repositories: ReadonlySet<string>;
  readonly logGroup: boolean;
}

/** How a container gets its image. */
export interface ImagePlan {
  readonly container: string;
  /** As the task definition names it; undefined until it is pushed. */
  readonly image?: string;
  /** What is to be pushed, and where from. */
  readonly push?: { readonly repository: string; readonly tag: string; readonly from: string };
}

/** One line of a plan. `+` makes, `~` changes, `-` removes; what stays as it is has no line. */
export interface Step {
  readonly sign: '+' | '~' | '-';
  readonly what: string;
  readonly why?: string;
  /** It changes or ends what runs. */
  readonly disturbs: boolean;
}

/** What a service needs done. */
export interface ServicePlan {
  readonly wanted: AppService;
  readonly now?: ServiceNow;
  /** Register a revision; else the one that it has stays. */
  readonly revision: boolean;
  readonly balancer: 'none' | 'make' | 'change' | 'keep' | 'remove';
  readonly count: boolean;
  /** Its last deployment failed: the same again. */
  readonly retry: boolean;
}

export interface Plan {
  readonly steps: readonly Step[];
  readonly services: readonly ServicePlan[];
  /** Services of the project that the file does not have any more. */
  readonly gone: readonly Service[];
}

/**
 * What is to be done so that what runs is what the file says.
 * @param images by service and container
 * @param registrations by service, where all its images are known
 * @throws CliError when a service of the name is somebody else's
 */
export function planOf(
  app: App,
  now: Now,
  images: ReadonlyMap<string, readonly ImagePlan[]>,
  registrations: ReadonlyMap<string, RegisterTaskDefinitionCommandInput>,
): Plan {
  const steps: Step[] = [];
  const all = [...images.values()].flat();
  const made = new Set<string>();
  for (const { push } of all) {
    if (push === undefined || made.has(`${push.repository}:${push.tag}`)) continue;
    made.add(`${push.repository}:${push.tag}`);
    if (!now.repositories.has(push.repository) && !made.has(push.repository))
      steps.push({ sign: '+', what: `repository ${push.repository}`, disturbs: false });
    made.add(push.repository);
    steps.push({ sign: '+', what: `image ${push.repository}:${push.tag}`, why: `push ${push.from}`, disturbs: false });
  }
  if (!now.logGroup) steps.push({ sign: '+', what: `log group ${app.name}`, disturbs: false });
  const services = app.services.map((wanted) => {
    const found = now.services.get(wanted.name);
    if (found !== undefined && ownerOf(found.service) !== app.name)
      throw new CliError(
        `there is a service ${wanted.name} already that slipway up did not make for ${app.name}: choose another name with --name, or remove it`,
      );
    const plan = planService(wanted, found, images.get(wanted.name) ?? [], registrations.get(wanted.name), app.from);
    steps.push(...plan.steps);
    return plan.service;
  });
  const gone = [...now.services.values()]
    .map(({ service }) => service)
    .filter((service) => ownerOf(service) === app.name)
    .filter(({ serviceName }) => !app.services.some(({ name }) => name === serviceName));
  for (const { serviceName = '' } of gone)
    steps.push({ sign: '-', what: `service ${serviceName}`, why: 'the file does not have it', disturbs: true });
  return { steps, services, gone };
}

/** Whose a service is, by its tag. */
export const ownerOf = ({ tags = [] }: Service): string | undefined =>
  tags.find(({ key }) => key === projectTag)?.value;

function planService(
  wanted: AppService,
  now: ServiceNow | undefined,
  images: readonly ImagePlan[],
  registration: RegisterTaskDefinitionCommandInput | undefined,
  from: string | undefined,
): { readonly service: ServicePlan; readonly steps: readonly Step[] } {
  const ports = wanted.publish.map(({ port, container, containerPort }) => `${port} -> ${container}:${containerPort}`);
  const balancer = balancerPlan(wanted, now?.balancer, from);
  const steps: Step[] = [];
  if (balancer.does !== 'none' && balancer.does !== 'keep')
    steps.push({
      sign: balancer.does === 'make' ? '+' : balancer.does === 'remove' ? '-' : '~',
      what: `load balancer of ${wanted.name}`,
      why: balancer.does === 'remove' ? 'it has no ports any more' : `${ports.join(', ')}${balancer.why}`,
      disturbs: balancer.does !== 'make',
    });
  if (now === undefined) {
    const count = wanted.count ?? 1;
    const of = images.map(({ container }) => container).join(', ');
    steps.push({
      sign: '+',
      what: `service ${wanted.name}`,
      why: `${count} ${count === 1 ? 'task' : 'tasks'} of ${of}`,
      disturbs: false,
    });
    return { service: { wanted, revision: true, balancer: balancer.does, count: true, retry: false }, steps };
  }
  const pushed = images.filter(({ image }) => image === undefined).map(({ container }) => `image of ${container}`);
  const changed =
    registration === undefined || now.taskDefinition === undefined
      ? pushed
      : differences(registration, now.taskDefinition, now.state);
  const count = wanted.count !== undefined && wanted.count !== now.service.desiredCount;
  const retry =
    changed.length === 0 &&
    now.service.deployments?.some(({ status, rolloutState }) => status === 'PRIMARY' && rolloutState === 'FAILED') ===
      true;
  const why = [
    ...changed,
    ...(retry ? ['its last deployment failed: once more'] : []),
    ...(count ? [`${now.service.desiredCount ?? 0} -> ${wanted.count ?? 0} tasks`] : []),
    ...(now.service.loadBalancers?.length === 0 && wanted.publish.length > 0 && balancer.does === 'keep'
      ? ['its load balancer was taken away']
      : []),
  ];
  if (why.length > 0) steps.push({ sign: '~', what: `service ${wanted.name}`, why: why.join(', '), disturbs: true });
  return { service: { wanted, now, revision: changed.length > 0, balancer: balancer.does, count, retry }, steps };
}

function balancerPlan(
  { publish, healthPath }: AppService,
  now: BalancerNow | undefined,
  from: string | undefined,
): { readonly does: ServicePlan['balancer']; readonly why: string } {
  if (publish.length === 0) return { does: now === undefined ? 'none' : 'remove', why: '' };
  if (now === undefined) return { does: 'make', why: '' };
  const ports = publish.map(({ port }) => port).toSorted((a, b) => a - b);
  const same = String(ports) === String(now.ports.toSorted((a, b) => a - b));
  const isOpen = from === undefined || String(now.from) === from;
  if (same && isOpen && now.healthPath === healthPath) return { does: 'keep', why: '' };
  const asks = now.healthPath === healthPath ? '' : `, asks for ${healthPath}`;
  return { does: 'change', why: isOpen ? asks : `${asks}, open to ${from ?? ''} instead of ${now.from.join(', ')}` };
}
