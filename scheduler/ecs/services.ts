import type { CreateServiceRequest, UpdateServiceRequest } from '@aws-sdk/client-ecs';
import type { AccessRequest, Call } from '@slipway/auth/contract';

import {
  activeCluster,
  associatedCluster,
  type ClusterRef,
  invalidParameter,
  launchTypeOf,
  ofStrategy,
  parseMember,
  parseStrategy,
  scan,
  strategyOf,
} from '../cluster/index.ts';
import {
  checkAlarms,
  checkContainers,
  checkHookDefinitions,
  checkRules,
  checkTargetGroups,
  createService,
  deleteService,
  findService,
  followTag,
  judgeTag,
  restartTag,
  networkView,
  parseHooks,
  parseCreate,
  parseLoadBalancers,
  passDeploymentRoles,
  parseUpdate,
  type HookPlace,
  type Launch,
  readController,
  type ServiceChange,
  type ServiceRef,
  serviceViews,
  rebalanceTag,
  updateAccess,
  updateService,
  withStrategy,
} from '../services/index.ts';
import {
  arns,
  clusterKeys,
  clusterPartition,
  type ClusterRecord,
  type ServiceRecord,
  type TaskDefinitionRecord,
} from '../state/index.ts';
import {
  activeDefinition,
  checkLaunch,
  findDefinition,
  parseDefinition,
  parseLaunchType,
  passRoles,
  requestDigest,
  rolesOf,
} from '../tasks/index.ts';
import { checkList, enablesExec, inCluster, requestTags, serviceResource, tagOnCreate } from './access.ts';
import { clusterOf, type EcsApi, type EcsOperations, homeOf } from './options.ts';

const mostServices = 10;

/** Create, update, delete, describe and list services. */
export function serviceOperations(options: EcsApi): EcsOperations {
  const nameOf = (identifier: string | undefined, ref: ClusterRef, call: Call): string =>
    parseMember('service', identifier ?? '', ref.cluster, homeOf(options, call));

  const placeOf = (call: Call): HookPlace => ({
    home: homeOf(options, call),
    checkUrl: (url) => options.outbound.check(url),
  });

  const allow = async (
    action: string,
    input: { readonly cluster?: string | undefined; readonly service?: string | undefined },
    call: Call,
  ): Promise<[AccessRequest]> => {
    const ref = clusterOf(options, call, input.cluster);
    const resource = await serviceResource(options, ref, nameOf(input.service, ref, call));
    return [{ action: `ecs:${action}`, resources: [resource], context: inCluster(options, ref) }];
  };

  /** How and where the next tasks of a service run from now on; members that stay as they are are left out. */
  async function launchOfUpdate(
    place: ServiceRef,
    cluster: ClusterRecord,
    input: UpdateServiceRequest,
    definition: TaskDefinitionRecord | undefined,
    call: Call,
  ): Promise<Pick<ServiceChange, 'launch' | 'network' | 'loadBalancers'>> {
    const current = await findService(options, place);
    // What is refused to a service with task sets is refused by its own rules.
    if (current?.status !== 'ACTIVE' || current.controller === 'EXTERNAL') return {};
    const launch =
      input.capacityProviderStrategy === undefined
        ? undefined
        : withStrategy(current, parseStrategy(input.capacityProviderStrategy, cluster));
    const asked = [definition, launch, input.networkConfiguration, input.platformVersion, input.loadBalancers];
    if (asked.every((member) => member === undefined)) return {};
    const next = definition ?? (await activeOrNot(call.account, current.taskDefinition));
    if (next === undefined) return {};
    const networkConfiguration = input.networkConfiguration ?? networkView(current.network);
    const network = await checkLaunch(options.networks, call.account, next, launch?.launchType ?? current.launchType, {
      platformVersion: input.platformVersion,
      placementConstraints: input.placementConstraints ?? current.placementConstraints,
      placementStrategy: input.placementStrategy ?? current.placementStrategy,
      networkConfiguration,
    });
    const loadBalancers =
      input.loadBalancers === undefined ? undefined : parseLoadBalancers(input.loadBalancers, next, call.account);
    if (loadBalancers === undefined) checkContainers(current.loadBalancers ?? [], next);
    else {
      await checkTargetGroups(options.targetGroups, options.clock, call.account, loadBalancers, next);
      await checkRules(options.targetGroups, call.account, loadBalancers);
    }
    return {
      ...(launch === undefined ? {} : { launch }),
      ...(network === undefined ? {} : { network }),
      ...(loadBalancers === undefined ? {} : { loadBalancers }),
    };
  }

  /** The revision that a service runs. */
  async function definitionOf(place: ServiceRef, account: string): Promise<TaskDefinitionRecord | undefined> {
    const { taskDefinition = '' } = (await findService(options, place)) ?? {};
    return taskDefinition === '' ? undefined : activeOrNot(account, taskDefinition);
  }

  /** What a service runs from its beginning, by what and where; one with the controller EXTERNAL runs nothing before it has a task set. */
  async function launchOfCreate(
    input: CreateServiceRequest,
    cluster: ClusterRecord,
    call: Call,
  ): Promise<{ readonly definition: TaskDefinitionRecord | undefined; readonly launch: Launch }> {
    if (readController(input.deploymentController) === 'EXTERNAL') {
      const launch = { launchType: 'EC2', strategy: undefined, network: undefined, loadBalancers: [] } as const;
      return { definition: undefined, launch };
    }
    if (input.taskDefinition === undefined) throw invalidParameter('TaskDefinition can not be blank.');
    const definition = await activeDefinition(options, call.account, input.taskDefinition);
    const strategy = strategyOf(input, cluster);
    const launchType = strategy === undefined ? parseLaunchType(input.launchType) : launchTypeOf(strategy);
    const network = await checkLaunch(options.networks, call.account, definition, launchType, input);
    const loadBalancers = parseLoadBalancers(input.loadBalancers ?? [], definition, call.account);
    await checkTargetGroups(options.targetGroups, options.clock, call.account, loadBalancers, definition);
    return { definition, launch: { launchType, strategy, network, loadBalancers } };
  }

  /** A definition that a service has, whether or not it may still be named. */
  const activeOrNot = (account: string, arn: string): Promise<TaskDefinitionRecord | undefined> =>
    findDefinition(options, account, parseDefinition(arn, { account, region: options.region }));

  return {
    CreateService: {
      access: async (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        const arn = arns.service(options.region, ref.account, ref.cluster, input.serviceName ?? '');
        const definition = await activeDefinition(options, call.account, input.taskDefinition ?? '').catch(
          () => undefined,
        );
        return [
          {
            action: 'ecs:CreateService',
            resources: [{ arn }],
            context: {
              ...inCluster(options, ref),
              ...requestTags(input.tags),
              ...enablesExec(input),
              ...ofStrategy(homeOf(options, call), input.capacityProviderStrategy),
              ...(definition === undefined ? {} : { 'ecs:task-definition': definition.arn }),
            },
          },
          ...tagOnCreate('CreateService', arn, input.tags),
          ...passDeploymentRoles(input),
          // A rule to follow needs what an UpdateService to this revision does, its roles among it.
          ...(input.tags?.some(({ key }) => key === followTag) === true
            ? updateAccess(options, { ...ref, service: input.serviceName ?? '' }, undefined, definition)
            : passRoles(rolesOf(definition))),
          ...(input.tags?.some(({ key = '' }) => [judgeTag, restartTag, rebalanceTag].includes(key)) === true
            ? updateAccess(options, { ...ref, service: input.serviceName ?? '' }, undefined, undefined)
            : []),
        ];
      },
      handle: async (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        const cluster = await associatedCluster(options, ref, input.capacityProviderStrategy, call.signal);
        const { definition, launch } = await launchOfCreate(input, cluster, call);
        const draft = parseCreate(input, definition, launch, call.principal, placeOf(call), options.extensions);
        await checkRules(options.targetGroups, call.account, launch.loadBalancers);
        await checkHookDefinitions(options, homeOf(options, call), draft.deploymentConfiguration.lifecycleHooks);
        await checkAlarms(options, call.account, input.deploymentConfiguration?.alarms);
        const name = input.serviceName ?? '';
        const service = await createService(options, { ...ref, service: name }, draft, {
          arn: arns.service(options.region, ref.account, ref.cluster, name),
          ...(input.clientToken === undefined
            ? {}
            : { token: { value: input.clientToken, request: requestDigest(input) } }),
        });
        return { service: (await serviceViews(options, ref, [service], ['TAGS']))[0] };
      },
    },
    UpdateService: {
      access: async (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        const place = { ...ref, service: nameOf(input.service, ref, call) };
        const definition =
          input.taskDefinition === undefined
            ? undefined
            : await activeDefinition(options, call.account, input.taskDefinition).catch(() => undefined);
        const [update, ...roles] = updateAccess(options, place, await findService(options, place), definition);
        const context = {
          ...update.context,
          ...enablesExec(input),
          ...ofStrategy(homeOf(options, call), input.capacityProviderStrategy),
        };
        return [{ ...update, context }, ...roles, ...passDeploymentRoles(input)];
      },
      handle: async (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        const cluster = await activeCluster(options, ref);
        const definition =
          input.taskDefinition === undefined
            ? undefined
            : await activeDefinition(options, call.account, input.taskDefinition);
        const place = { ...ref, service: nameOf(input.service, ref, call) };
        const change = await launchOfUpdate(place, cluster, input, definition, call);
        const running =
          definition ??
          (input.availabilityZoneRebalancing === undefined ? undefined : await definitionOf(place, call.account));
        const configured = placeOf(call);
        await checkHookDefinitions(
          options,
          configured.home,
          parseHooks(input.deploymentConfiguration?.lifecycleHooks ?? [], configured),
        );
        await checkAlarms(options, call.account, input.deploymentConfiguration?.alarms);
        const service = await updateService(
          options,
          place,
          (current) => parseUpdate(input, current, definition, change, configured, running, options.extensions),
          { force: input.forceNewDeployment ?? false },
        );
        return { service: (await serviceViews(options, ref, [service], ['TAGS']))[0] };
      },
    },
    DeleteService: {
      access: (input, call) => allow('DeleteService', input, call),
      handle: async (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        await activeCluster(options, ref);
        const name = nameOf(input.service, ref, call);
        const service = await deleteService(options, { ...ref, service: name }, input.force ?? false);
        return { service: (await serviceViews(options, ref, [service], ['TAGS']))[0] };
      },
    },
    DescribeServices: {
      access: async (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        const names = checkList('Services', input.services, mostServices).map((service) => nameOf(service, ref, call));
        return [
          {
            action: 'ecs:DescribeServices',
            resources: await Promise.all(names.map((name) => serviceResource(options, ref, name))),
            context: inCluster(options, ref),
          },
        ];
      },
      handle: async (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        await activeCluster(options, ref);
        const names = [...new Set((input.services ?? []).map((service) => nameOf(service, ref, call)))];
        const found = await Promise.all(names.map((service) => findService(options, { ...ref, service })));
        return {
          services: await serviceViews(
            options,
            ref,
            found.flatMap((service) => service ?? []),
            input.include,
          ),
          failures: names.flatMap((name, index) =>
            found[index] === undefined
              ? [{ arn: arns.service(options.region, ref.account, ref.cluster, name), reason: 'MISSING' }]
              : [],
          ),
        };
      },
    },
    ListServices: {
      access: (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        const arn = arns.cluster(options.region, ref.account, ref.cluster);
        return [{ action: 'ecs:ListServices', resources: [{ arn }], context: inCluster(options, ref) }];
      },
      handle: async (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        await activeCluster(options, ref);
        const { schedulingStrategy, resourceManagementType: managedBy = 'CUSTOMER' } = input;
        if (managedBy !== 'CUSTOMER') return { serviceArns: [] };
        const launchType = input.launchType === undefined ? undefined : parseLaunchType(input.launchType);
        const scope = ['ListServices', ref.cluster, launchType, schedulingStrategy];
        const rows = scan<ServiceRecord>(
          options.records,
          clusterPartition(ref.account, ref.cluster),
          clusterKeys.services,
          await options.pages.start(call.account, scope, input),
        );
        const { items, ...more } = await options.pages.page(
          call.account,
          scope,
          input,
          rows,
          (service) =>
            service.status !== 'INACTIVE' &&
            (launchType === undefined || service.launchType === launchType) &&
            (schedulingStrategy === undefined || service.schedulingStrategy === schedulingStrategy)
              ? service.arn
              : undefined,
          { usual: 10 },
        );
        return { serviceArns: items, ...more };
      },
    },
  };
}
