import { AwsError } from '@slipway/auth/contract';
import { requestTags, rowsOf, tagsAsSent } from '@slipway/auth/kit';

import type { Network } from '../../network/records/index.ts';
import { checkName, elbTags, groupsFor, inZones, mayList, placeFor, subnetsFor } from '../elbv2/index.ts';
import { type ClassicRecord, readCheckTarget } from '../records/index.ts';

import { invalidConfiguration, unsupported, validation } from './errors.ts';
import { keep } from './instances.ts';
import { bound, checkListeners, listenersFor, remove, settled } from './listeners.ts';
import { type ClassicOperations, find, mayOn, operation, type Scene } from './operation.ts';
import {
  byName,
  description,
  healthCheck,
  list,
  listeners,
  nothing,
  number,
  type Of,
  required,
  struct,
  tags,
  text,
  texts,
} from './shapes.ts';

/** Load balancers of an account (ELB user guide, "Quotas for your Classic Load Balancer"). */
const mostBalancers = 20;
/** The hosted zone that ELB's names are in (us-east-1); tools keep such tables of their own. */
const hostedZone = 'Z35SXDOTRQ7X7K';

/** Classic Load Balancers, where they are and who may reach them. */
export const loadBalancerOperations: ClassicOperations = {
  CreateLoadBalancer: operation({
    input: struct('CreateAccessPointInput', {
      ...byName,
      Listeners: required(listeners),
      AvailabilityZones: texts,
      Subnets: texts,
      SecurityGroups: texts,
      Scheme: text,
      Tags: tags,
    }),
    output: struct('CreateAccessPointOutput', { DNSName: text }),
    access: mayOn(
      'CreateLoadBalancer',
      ({ LoadBalancerName }) => [LoadBalancerName],
      ({ Tags }) => requestTags(tagsAsSent(Tags)),
    ),
    change: async (input, scene, draft) => {
      const { LoadBalancerName: name, Scheme: scheme = 'internet-facing' } = input;
      checkName(name, 'load balancer');
      if (scheme !== 'internet-facing' && scheme !== 'internal')
        throw new AwsError(
          'InvalidScheme',
          `The scheme '${scheme.slice(0, 50)}' is not valid: use internal, or leave it out`,
        );
      const subnets = await subnetsFor(scene, { Subnets: await subnetIds(scene, input) });
      const vpcId = subnets[0]?.vpcId ?? '';
      const settings = {
        name,
        scheme,
        vpcId,
        subnets: inZones(subnets),
        securityGroups: await groupsFor(scene, 'application', vpcId, input.SecurityGroups),
        tags: elbTags.parse(input.Tags),
        listeners: await listenersFor(scene, draft, input.Listeners),
      } as const;
      const other = draft.named('classic', name);
      if (other !== undefined) {
        if (isSame(other, settings)) return { after: other, before: other };
        throw new AwsError(
          'DuplicateLoadBalancerName',
          `Load Balancer named '${name}' already exists and it is configured with different settings.`,
        );
      }
      if (draft.all('classic').length >= mostBalancers)
        throw new AwsError(
          'TooManyLoadBalancers',
          `The maximum number of load balancers has been reached: ${mostBalancers}.`,
        );
      const [first] = settings.listeners;
      const record: ClassicRecord = {
        ...settings,
        ...placeFor(scene.api.pool, draft, name),
        instances: [],
        // As ELB checks until somebody says otherwise: whether the first listener's instance port takes connections.
        healthCheck: {
          target: `TCP:${first?.instancePort ?? 80}`,
          interval: 30,
          timeout: 5,
          healthyThreshold: 10,
          unhealthyThreshold: 2,
        },
        idleTimeout: 60,
        draining: { enabled: false, timeout: 300 },
      };
      checkListeners(scene, draft, record);
      return { after: await keep(scene, draft, record), before: undefined };
    },
    answer: async (made, scene, balancing) => {
      await bound(made, scene, balancing);
      return { DNSName: made.after.dnsName };
    },
  }),
  DescribeLoadBalancers: operation({
    input: struct('DescribeAccessPointsInput', { LoadBalancerNames: texts, Marker: text, PageSize: number }),
    output: struct('DescribeAccessPointsOutput', { LoadBalancerDescriptions: list(description), NextMarker: text }),
    access: mayList('DescribeLoadBalancers'),
    read: async ({ LoadBalancerNames: names = [], Marker, PageSize }, scene, balancing) => {
      const { api, account } = scene;
      const records =
        names.length === 0 ? balancing.all('classic') : [...new Set(names)].map((name) => find(balancing, name));
      const network = await api.networks.read(account);
      const list = ['Classic DescribeLoadBalancers', names];
      const request = { maxResults: PageSize, nextToken: Marker };
      const after = await api.pages.start(account, list, request);
      const { items, nextToken } = await api.pages.page(
        account,
        list,
        request,
        rowsOf(records, ({ name }) => name, after),
        (record) => view(network, account, record),
      );
      return { LoadBalancerDescriptions: items, ...(nextToken === undefined ? {} : { NextMarker: nextToken }) };
    },
  }),
  DeleteLoadBalancer: operation({
    input: struct('DeleteAccessPointInput', byName),
    output: nothing,
    access: mayOn('DeleteLoadBalancer', ({ LoadBalancerName }) => [LoadBalancerName]),
    change: ({ LoadBalancerName }, _scene, draft) => {
      const record = draft.named('classic', LoadBalancerName);
      if (record !== undefined) remove(draft, record);
    },
    answer: settled,
  }),
  ConfigureHealthCheck: operation({
    input: struct('ConfigureHealthCheckInput', { ...byName, HealthCheck: required(healthCheck) }),
    output: struct('ConfigureHealthCheckOutput', { HealthCheck: healthCheck }),
    access: mayOn('ConfigureHealthCheck', ({ LoadBalancerName }) => [LoadBalancerName]),
    change: async ({ LoadBalancerName, HealthCheck: given }, scene, draft) => {
      const record = find(draft, LoadBalancerName);
      if (/^SSL:/i.test(given.Target)) throw unsupported('A health check by SSL', 'Check by TCP or HTTPS.');
      if (readCheckTarget(given.Target) === undefined)
        throw validation(
          `HealthCheck Target '${given.Target.slice(0, 200)}' must be HTTP:port/path, HTTPS:port/path or TCP:port, with a port from 1 to 65535`,
        );
      if (given.Timeout >= given.Interval) throw validation('HealthCheck timeout must be less than interval.');
      const after = {
        ...record,
        healthCheck: {
          target: given.Target,
          interval: given.Interval,
          timeout: given.Timeout,
          healthyThreshold: given.HealthyThreshold,
          unhealthyThreshold: given.UnhealthyThreshold,
        },
      };
      return keep(scene, draft, after);
    },
    answer: ({ healthCheck: check }) => ({ HealthCheck: viewCheck(check) }),
  }),
  ApplySecurityGroupsToLoadBalancer: operation({
    input: struct('ApplySecurityGroupsToLoadBalancerInput', { ...byName, SecurityGroups: required(texts) }),
    output: struct('ApplySecurityGroupsToLoadBalancerOutput', { SecurityGroups: texts }),
    access: mayOn('ApplySecurityGroupsToLoadBalancer', ({ LoadBalancerName }) => [LoadBalancerName]),
    change: async ({ LoadBalancerName, SecurityGroups }, scene, draft) => {
      const record = find(draft, LoadBalancerName);
      if (SecurityGroups.length === 0) throw validation('Security groups must be specified');
      const securityGroups = await groupsFor(scene, 'application', record.vpcId, SecurityGroups);
      return keep(scene, draft, { ...record, securityGroups });
    },
    answer: ({ securityGroups }) => ({ SecurityGroups: securityGroups }),
  }),
  AttachLoadBalancerToSubnets: operation({
    input: struct('AttachLoadBalancerToSubnetsInput', { ...byName, Subnets: required(texts) }),
    output: struct('AttachLoadBalancerToSubnetsOutput', { Subnets: texts }),
    access: mayOn('AttachLoadBalancerToSubnets', ({ LoadBalancerName }) => [LoadBalancerName]),
    change: async ({ LoadBalancerName, Subnets }, scene, draft) => {
      const record = find(draft, LoadBalancerName);
      const subnets = await subnetsFor(scene, { Subnets: [...record.subnets.map(({ id }) => id), ...Subnets] });
      return keep(scene, draft, { ...record, subnets: inZones(subnets) });
    },
    answer: viewSubnets,
  }),
  DetachLoadBalancerFromSubnets: operation({
    input: struct('DetachLoadBalancerFromSubnetsInput', { ...byName, Subnets: required(texts) }),
    output: struct('DetachLoadBalancerFromSubnetsOutput', { Subnets: texts }),
    access: mayOn('DetachLoadBalancerFromSubnets', ({ LoadBalancerName }) => [LoadBalancerName]),
    change: async ({ LoadBalancerName, Subnets }, scene, draft) => {
      const record = find(draft, LoadBalancerName);
      const subnets = record.subnets.filter(({ id }) => !Subnets.includes(id));
      if (subnets.length === 0) throw invalidConfiguration('A load balancer must be attached to at least one subnet');
      return keep(scene, draft, { ...record, subnets });
    },
    answer: viewSubnets,
  }),
};

/** Subnets as they are named, or the default one of each zone that is. */
async function subnetIds(
  { api, account }: Scene,
  {
    Subnets = [],
    AvailabilityZones: zones = [],
  }: { readonly Subnets?: readonly string[] | undefined; readonly AvailabilityZones?: readonly string[] | undefined },
): Promise<readonly string[]> {
  if (Subnets.length > 0 && zones.length > 0)
    throw validation('Only one of SubnetIds or AvailabilityZones may be specified');
  if (Subnets.length > 0) return Subnets;
  if (zones.length === 0) throw validation('Either AvailabilityZones or SubnetIds must be specified');
  const network = await api.networks.read(account);
  const vpcId = network.defaultVpc?.id;
  return zones.map((zone) => {
    const subnet = network.all('subnet').find((one) => one.vpcId === vpcId && one.zone === zone);
    if (subnet === undefined) throw validation(`Invalid availability zone: ${zone.slice(0, 100)}`);
    return subnet.id;
  });
}

type Settings = Pick<ClassicRecord, 'name' | 'scheme' | 'subnets' | 'securityGroups' | 'tags' | 'listeners'>;

/** Whether a load balancer is what another request for the same name asks for. */
const isSame = (one: Settings, other: Settings): boolean => textOf(one) === textOf(other);

const textOf = ({ scheme, subnets, securityGroups, tags: of, listeners: all }: Settings): string =>
  JSON.stringify([
    scheme,
    subnets.map(({ id }) => id).toSorted(),
    securityGroups.toSorted(),
    Object.entries(of).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    all.toSorted((a, b) => a.port - b.port),
  ]);

function viewSubnets({ subnets }: ClassicRecord): { Subnets: string[] } {
  return { Subnets: subnets.map(({ id }) => id) };
}

const viewCheck = (check: ClassicRecord['healthCheck']): Of<typeof healthCheck> => ({
  Target: check.target,
  Interval: check.interval,
  Timeout: check.timeout,
  UnhealthyThreshold: check.unhealthyThreshold,
  HealthyThreshold: check.healthyThreshold,
});

function view(network: Network, account: string, record: ClassicRecord): Of<typeof description> {
  const group = network.get('security-group', record.securityGroups[0]);
  return {
    LoadBalancerName: record.name,
    DNSName: record.dnsName,
    CanonicalHostedZoneName: record.dnsName,
    CanonicalHostedZoneNameID: hostedZone,
    ListenerDescriptions: record.listeners.map(({ port, protocol, instanceProtocol, instancePort, certificate }) => ({
      Listener: {
        Protocol: protocol,
        LoadBalancerPort: port,
        InstanceProtocol: instanceProtocol,
        InstancePort: instancePort,
        ...(certificate === undefined ? {} : { SSLCertificateId: certificate }),
      },
      PolicyNames: [],
    })),
    Policies: { AppCookieStickinessPolicies: [], LBCookieStickinessPolicies: [], OtherPolicies: [] },
    BackendServerDescriptions: [],
    AvailabilityZones: record.subnets.map(({ zone }) => zone),
    Subnets: record.subnets.map(({ id }) => id),
    VPCId: record.vpcId,
    Instances: record.instances.map((InstanceId) => ({ InstanceId })),
    HealthCheck: viewCheck(record.healthCheck),
    ...(group === undefined ? {} : { SourceSecurityGroup: { OwnerAlias: account, GroupName: group.name } }),
    SecurityGroups: record.securityGroups,
    CreatedTime: new Date(record.createdAt),
    Scheme: record.scheme,
  };
}
