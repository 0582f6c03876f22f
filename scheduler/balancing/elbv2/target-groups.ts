import { AwsError } from '@slipway/auth/contract';

import type { Balancing, Protocol, ProtocolVersion, TargetGroupRecord } from '../records/index.ts';

import { notFound, resourceInUse, tooMany, unsupported, validation } from './errors.ts';
import { healthCheckFor, healthCheckMembers } from './health-checks.ts';
import { find, findAll, lookUp, pageOf } from './lists.ts';
import { balancerArn, checkName, groupArn } from './names.ts';
import { type ElbOperations, mayCreate, mayList, mayOn, operation, type Scene } from './operation.ts';
import { mostGroups } from './quotas.ts';
import { flag, list, nothing, number, type Of, paged, refused, required, struct, tags, text, texts } from './shapes.ts';
import { elbTags, inOrder } from './tagging.ts';

const groupShape = struct('TargetGroup', {
  TargetGroupArn: text,
  TargetGroupName: text,
  Protocol: text,
  Port: number,
  VpcId: text,
  HealthCheckProtocol: text,
  HealthCheckPort: text,
  HealthCheckEnabled: flag,
  HealthCheckIntervalSeconds: number,
  HealthCheckTimeoutSeconds: number,
  HealthyThresholdCount: number,
  UnhealthyThresholdCount: number,
  HealthCheckPath: text,
  Matcher: healthCheckMembers.Matcher,
  LoadBalancerArns: texts,
  TargetType: text,
  ProtocolVersion: text,
  IpAddressType: text,
});

/** Target groups and how their targets are checked. */
export const targetGroupOperations: ElbOperations = {
  CreateTargetGroup: operation({
    input: struct('CreateTargetGroupInput', {
      Name: required(text),
      Protocol: text,
      ProtocolVersion: text,
      Port: number,
      VpcId: text,
      ...healthCheckMembers,
      TargetType: text,
      Tags: tags,
      IpAddressType: text,
      TargetControlPort: refused(number, 'Targets say what they can take by answering their health checks.'),
    }),
    output: struct('CreateTargetGroupOutput', { TargetGroups: list(groupShape) }),
    access: mayCreate('CreateTargetGroup', ({ Name }, scene) => [{ arn: groupArn(scene, { name: Name, id: '*' }) }]),
    change: async (input, scene, draft) => {
      const { Name: name, TargetType: targetType = 'instance', Port: port, VpcId: vpcId = '' } = input;
      checkName(name, 'target group');
      if (targetType !== 'instance' && targetType !== 'ip')
        throw unsupported(`The target type ${targetType}`, 'Use instance or ip.');
      const protocol = protocolFor(input.Protocol);
      if (port === undefined) throw validation('A target group port must be specified');
      if ((input.IpAddressType ?? 'ipv4') !== 'ipv4')
        throw unsupported(`The IP address type ${input.IpAddressType ?? ''}`, 'Targets have IPv4 addresses.');
      if (vpcId === '') throw validation('A VPC ID must be specified');
      if ((await scene.api.networks.read(scene.account)).get('vpc', vpcId) === undefined)
        throw validation(`The VPC ID '${vpcId.slice(0, 100)}' is not found`);
      const version = versionFor(protocol, input.ProtocolVersion);
      const settings = {
        name,
        protocol,
        ...(version === undefined ? {} : { protocolVersion: version }),
        port,
        vpcId,
        targetType: targetType as TargetGroupRecord['targetType'],
        healthCheck: healthCheckFor(
          { protocol, ...(version === undefined ? {} : { protocolVersion: version }) },
          input,
          undefined,
        ),
        tags: elbTags.parse(input.Tags),
      };
      const other = draft.named('targetgroup', name);
      if (other !== undefined) {
        if (isSame(other, settings)) return other;
        throw new AwsError(
          'DuplicateTargetGroupName',
          `A target group with the same name '${name}' exists, but with different settings`,
        );
      }
      if (draft.all('targetgroup').length >= mostGroups)
        throw tooMany('TooManyTargetGroups', 'target groups', mostGroups);
      const made: TargetGroupRecord = { ...settings, id: draft.newId(), createdAt: draft.now, attributes: {} };
      draft.put('targetgroup', made);
      return made;
    },
    answer: (made, scene, balancing) => ({ TargetGroups: [viewGroup(scene, balancing, made)] }),
  }),
  DescribeTargetGroups: operation({
    input: struct('DescribeTargetGroupsInput', {
      LoadBalancerArn: text,
      TargetGroupArns: texts,
      Names: texts,
      ...paged,
    }),
    output: struct('DescribeTargetGroupsOutput', { TargetGroups: list(groupShape), NextMarker: text }),
    access: mayList('DescribeTargetGroups'),
    read: async (input, scene, balancing) => {
      const { LoadBalancerArn: of = '', TargetGroupArns: arns = [], Names: names = [] } = input;
      if ([of !== '', arns.length > 0, names.length > 0].filter(Boolean).length > 1)
        throw validation(
          'Target group names, target group ARNs, and a load balancer ARN cannot be specified at the same time',
        );
      const { items, more } = await pageOf(
        scene,
        ['DescribeTargetGroups', of, arns, names],
        input,
        asked(scene, balancing, of, arns, names),
        ({ name }) => name,
        (record) => viewGroup(scene, balancing, record),
      );
      return { TargetGroups: items, ...more };
    },
  }),
  ModifyTargetGroup: operation({
    input: struct('ModifyTargetGroupInput', { TargetGroupArn: required(text), ...healthCheckMembers }),
    output: struct('ModifyTargetGroupOutput', { TargetGroups: list(groupShape) }),
    access: mayOn('ModifyTargetGroup', ({ TargetGroupArn }) => [TargetGroupArn]),
    change: (input, scene, draft) => {
      const before = find(scene, draft, 'targetgroup', input.TargetGroupArn);
      const after = { ...before, healthCheck: healthCheckFor(before, input, before.healthCheck) };
      draft.put('targetgroup', after);
      return after;
    },
    answer: (made, scene, balancing) => ({ TargetGroups: [viewGroup(scene, balancing, made)] }),
  }),
  DeleteTargetGroup: operation({
    input: struct('DeleteTargetGroupInput', { TargetGroupArn: required(text) }),
    output: nothing,
    access: mayOn('DeleteTargetGroup', ({ TargetGroupArn }) => [TargetGroupArn]),
    change: ({ TargetGroupArn: arn }, scene, draft) => {
      const group = lookUp(scene, draft, 'targetgroup', arn);
      if (group === undefined) return;
      if (draft.balancerOfGroup(group.id) !== undefined)
        throw resourceInUse(`Target group '${arn}' is currently in use by a listener or a rule`);
      for (const { id } of draft.targetsOf(group.id)) draft.remove('target', id);
      draft.remove('targetgroup', group.id);
    },
    answer: () => ({}),
  }),
};

const served: readonly Protocol[] = ['HTTP', 'HTTPS', 'TCP', 'TLS'];

function protocolFor(given: string | undefined): Protocol {
  if (given === undefined || given === '') throw validation('A target group protocol must be specified');
  if (!served.includes(given as Protocol))
    throw new AwsError(
      'UnsupportedProtocol',
      `The protocol ${given.slice(0, 50)} is not supported by this installation. Use ${served.join(', ')}.`,
    );
  return given as Protocol;
}

/** Terraform sends an empty version, which is none. */
function versionFor(protocol: Protocol, given = ''): ProtocolVersion | undefined {
  if (protocol !== 'HTTP' && protocol !== 'HTTPS') {
    if (given !== '') throw validation(`Protocol version cannot be specified for protocol '${protocol}'`);
    return undefined;
  }
  if (given === '') return 'HTTP1';
  if (given !== 'HTTP1' && given !== 'HTTP2' && given !== 'GRPC')
    throw validation(`Protocol version '${given.slice(0, 50)}' must be one of '[HTTP1, HTTP2, GRPC]'`);
  return given;
}

const isSame = (one: TargetGroupRecord, other: Omit<TargetGroupRecord, 'id' | 'createdAt' | 'attributes'>): boolean =>
  identity(one) === identity(other);

const identity = (group: Omit<TargetGroupRecord, 'id' | 'createdAt' | 'attributes'>): string => {
  const { name, protocol, protocolVersion, port, vpcId, targetType, healthCheck, tags: of } = group;
  return JSON.stringify([
    [name, protocol, protocolVersion, port, vpcId, targetType],
    inOrder(healthCheck),
    inOrder(of),
  ]);
};

function asked(
  scene: Scene,
  balancing: Balancing,
  of: string,
  arns: readonly string[],
  names: readonly string[],
): readonly TargetGroupRecord[] {
  if (of !== '') {
    const named = balancing.groupsOf(find(scene, balancing, 'loadbalancer', of).id);
    return balancing.all('targetgroup').filter(({ id }) => named.has(id));
  }
  if (arns.length > 0) return findAll(scene, balancing, 'targetgroup', arns);
  if (names.length === 0) return balancing.all('targetgroup');
  return [...new Set(names)].map((name) => {
    const group = balancing.named('targetgroup', name);
    if (group === undefined) throw notFound('targetgroup', 'some');
    return group;
  });
}

function viewGroup(scene: Scene, balancing: Balancing, group: TargetGroupRecord): Of<typeof groupShape> {
  const { healthCheck: check } = group;
  const balancer = balancing.balancerOfGroup(group.id);
  return {
    TargetGroupArn: groupArn(scene, group),
    TargetGroupName: group.name,
    Protocol: group.protocol,
    Port: group.port,
    VpcId: group.vpcId,
    HealthCheckProtocol: check.protocol,
    HealthCheckPort: String(check.port),
    HealthCheckEnabled: true,
    HealthCheckIntervalSeconds: check.interval,
    HealthCheckTimeoutSeconds: check.timeout,
    HealthyThresholdCount: check.healthyThreshold,
    UnhealthyThresholdCount: check.unhealthyThreshold,
    ...(check.path === undefined ? {} : { HealthCheckPath: check.path }),
    ...(check.matcher === undefined
      ? {}
      : { Matcher: group.protocolVersion === 'GRPC' ? { GrpcCode: check.matcher } : { HttpCode: check.matcher } }),
    LoadBalancerArns: balancer === undefined ? [] : [balancerArn(scene, balancer)],
    TargetType: group.targetType,
    ...(group.protocolVersion === undefined ? {} : { ProtocolVersion: group.protocolVersion }),
    IpAddressType: 'ipv4',
  };
}
