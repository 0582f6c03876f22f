import { AwsError } from '@slipway/auth/contract';

import { contains, parseAddress, parseCidr } from '../../network/addresses/index.ts';
import type { Balancing, TargetGroupRecord, TargetRecord } from '../records/index.ts';

import { tooMany, validation } from './errors.ts';
import { find } from './lists.ts';
import { type ElbOperations, mayOn, operation, type Scene, someOf } from './operation.ts';
import { checkTargets, countOf, mostTargetsOfGroup } from './quotas.ts';
import { list, nothing, number, type Of, refused, required, struct, text, texts } from './shapes.ts';

const description = struct('TargetDescription', {
  Id: text,
  Port: number,
  AvailabilityZone: text,
  QuicServerId: refused(text, 'QUIC is not served.'),
});
const descriptions = list(description);
type Description = Of<typeof description>;

const healthShape = struct('TargetHealthDescription', {
  Target: description,
  HealthCheckPort: text,
  TargetHealth: struct('TargetHealth', { State: text, Reason: text, Description: text }),
});

/** Targets of groups, and how they are. */
export const targetOperations: ElbOperations = {
  RegisterTargets: operation({
    input: struct('RegisterTargetsInput', { TargetGroupArn: required(text), Targets: required(descriptions) }),
    output: nothing,
    access: mayOn('RegisterTargets', ({ TargetGroupArn }) => [TargetGroupArn]),
    change: async ({ TargetGroupArn, Targets }, scene, draft) => {
      const group = find(scene, draft, 'targetgroup', TargetGroupArn);
      const found = await Promise.all(someOf(Targets, 'Targets').map((one) => placeOf(scene, group, one)));
      const stopped = Targets.filter((_, place) => found[place] === undefined).map(
        ({ Id = '' }) => `'${Id.slice(0, 100)}'`,
      );
      if (stopped.length > 0)
        throw new AwsError(
          'InvalidTarget',
          `The following targets are not in a running state and cannot be registered: ${stopped.join(', ')}`,
        );
      for (const one of found as readonly Place[]) {
        if (registered(draft, group, one) !== undefined) continue;
        draft.put('target', {
          id: draft.newId(),
          groupId: group.id,
          ...one,
          registeredAt: draft.now,
          health: { state: 'initial' },
          tags: {},
        });
      }
      checkCounts(draft, group);
    },
    answer: () => ({}),
  }),
  DeregisterTargets: operation({
    input: struct('DeregisterTargetsInput', { TargetGroupArn: required(text), Targets: required(descriptions) }),
    output: nothing,
    access: mayOn('DeregisterTargets', ({ TargetGroupArn }) => [TargetGroupArn]),
    change: ({ TargetGroupArn, Targets }, scene, draft) => {
      const group = find(scene, draft, 'targetgroup', TargetGroupArn);
      const isUsed = draft.balancerOfGroup(group.id) !== undefined;
      for (const { Id: targetId = '', Port: port = group.port } of someOf(Targets, 'Targets')) {
        const target = registered(draft, group, { targetId, port });
        if (target === undefined) continue;
        // What gets no traffic has nothing to finish.
        if (isUsed) draft.put('target', { ...target, deregisteredAt: draft.now });
        else draft.remove('target', target.id);
      }
    },
    answer: () => ({}),
  }),
  DescribeTargetHealth: operation({
    input: struct('DescribeTargetHealthInput', {
      TargetGroupArn: required(text),
      Targets: descriptions,
      Include: refused(texts, 'Targets are judged by their health checks alone, so there are no anomalies.'),
    }),
    output: struct('DescribeTargetHealthOutput', { TargetHealthDescriptions: list(healthShape) }),
    access: mayOn('DescribeTargetHealth', ({ TargetGroupArn }) => [TargetGroupArn]),
    read: ({ TargetGroupArn, Targets = [] }, scene, balancing) => {
      const group = find(scene, balancing, 'targetgroup', TargetGroupArn);
      const known = shown(balancing, group);
      const view = (target: TargetRecord): Of<typeof healthShape> => viewTarget(balancing, group, target);
      if (Targets.length === 0) return { TargetHealthDescriptions: known.map(view) };
      return {
        TargetHealthDescriptions: Targets.map(({ Id: targetId = '', Port: port = group.port }) => {
          const target = known.find((one) => one.targetId === targetId && one.port === port);
          return target === undefined ? notRegistered(targetId, port) : view(target);
        }),
      };
    },
  }),
};

type Place = Pick<TargetRecord, 'targetId' | 'port' | 'zone' | 'address'>;

/** Ranges that addresses of targets may be of (ELB user guide, "Target type": RFC 1918 and RFC 6598). */
const privateRanges = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10'].map(
  (range) => parseCidr(range) as NonNullable<ReturnType<typeof parseCidr>>,
);

/** Where a target is reached. @returns undefined for a machine that is not there, or does not run. @throws ValidationError */
async function placeOf(
  { api, account }: Scene,
  group: TargetGroupRecord,
  { Id: targetId = '', Port: port = group.port, AvailabilityZone: zone }: Description,
): Promise<Place | undefined> {
  if (group.targetType === 'instance') {
    if (!/^i-[0-9a-f]{8,17}$/.test(targetId)) throw validation(`Instance ID '${targetId.slice(0, 100)}' is not valid`);
    const instance = await api.instances.find(account, targetId);
    if (instance?.running !== true) return undefined;
    return { targetId, port, address: instance.address };
  }
  const address = parseAddress(targetId);
  if (address === undefined) throw validation(`The IP address '${targetId.slice(0, 100)}' is not a valid IPv4 address`);
  const { vpcId } = group;
  const ranges = (await api.networks.read(account))
    .get('vpc', vpcId)
    ?.cidrs.flatMap(({ cidr }) => parseCidr(cidr) ?? []);
  const alone = { base: address, length: 32 };
  if (![...privateRanges, ...(ranges ?? [])].some((range) => contains(range, alone)))
    throw validation(
      `The IP address '${targetId}' is not within the VPC '${vpcId}' or a private range, and cannot be a target`,
    );
  return { targetId, port, address: targetId, ...(zone === undefined || zone === '' ? {} : { zone }) };
}

/** The registration that is in force; one that drains is over. */
const registered = (
  balancing: Balancing,
  group: TargetGroupRecord,
  { targetId, port }: Pick<Place, 'targetId' | 'port'>,
): TargetRecord | undefined =>
  balancing
    .targetsOf(group.id)
    .find((one) => one.deregisteredAt === undefined && one.targetId === targetId && one.port === port);

/** @throws TooManyTargets */
function checkCounts(balancing: Balancing, group: TargetGroupRecord): void {
  if (countOf(balancing, [group.id]) > mostTargetsOfGroup)
    throw tooMany('TooManyTargets', 'targets of a target group', mostTargetsOfGroup);
  const balancer = balancing.balancerOfGroup(group.id);
  if (balancer !== undefined) checkTargets(balancing, balancing.groupsOf(balancer.id));
}

/** Registrations as they are shown: of one that came back while it drained, the newest. */
function shown(balancing: Balancing, group: TargetGroupRecord): readonly TargetRecord[] {
  const newest = new Map<string, TargetRecord>();
  for (const target of balancing.targetsOf(group.id)) {
    const key = `${target.targetId} ${target.port}`;
    const other = newest.get(key);
    if (other === undefined || target.deregisteredAt === undefined) newest.set(key, target);
  }
  return [...newest.values()];
}

/** A target with its state (ELB API reference, TargetHealth; reference section 2.7). */
function viewTarget(balancing: Balancing, group: TargetGroupRecord, target: TargetRecord): Of<typeof healthShape> {
  const { targetId, port, zone } = target;
  return {
    Target: { Id: targetId, Port: port, ...(zone === undefined ? {} : { AvailabilityZone: zone }) },
    HealthCheckPort: String(group.healthCheck.port === 'traffic-port' ? port : group.healthCheck.port),
    TargetHealth: stateOf(balancing, group, target),
  };
}

/** How a target stands, in ELB's words. */
export function stateOf(
  balancing: Balancing,
  group: TargetGroupRecord,
  { deregisteredAt, health }: TargetRecord,
): { readonly State: string; readonly Reason?: string | undefined; readonly Description?: string | undefined } {
  if (deregisteredAt !== undefined)
    return {
      State: 'draining',
      Reason: 'Target.DeregistrationInProgress',
      Description: 'Target deregistration is in progress',
    };
  if (balancing.balancerOfGroup(group.id) === undefined)
    return {
      State: 'unused',
      Reason: 'Target.NotInUse',
      Description: 'Target group is not configured to receive traffic from the load balancer',
    };
  switch (health.state) {
    case 'initial':
      return {
        State: 'initial',
        Reason: health.reason ?? 'Elb.RegistrationInProgress',
        Description: health.description ?? 'Target registration is in progress',
      };
    case 'healthy':
      return { State: 'healthy' };
    case 'unhealthy':
      return { State: 'unhealthy', Reason: health.reason, Description: health.description };
  }
}

const notRegistered = (targetId: string, port: number): Of<typeof healthShape> => ({
  Target: { Id: targetId, Port: port },
  TargetHealth: {
    State: 'unused',
    Reason: 'Target.NotRegistered',
    Description: 'Target is not registered to the target group',
  },
});
