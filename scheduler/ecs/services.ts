import type { AccessRequest, Call } from '@slipway/auth/contract';

import { activeCluster, type ClusterRef, invalidParameter, parseMember, scan } from '../cluster/index.ts';
import {
  createService,
  deleteService,
  findService,
  followTag,
  parseCreate,
  parseLaunchType,
  parseUpdate,
  serviceViews,
  updateAccess,
  updateService,
} from '../services/index.ts';
import { arns, clusterKeys, clusterPartition, type ServiceRecord } from '../state/index.ts';
import { activeDefinition, passRoles, requestDigest, rolesOf } from '../tasks/index.ts';
import { checkList, inCluster, requestTags, serviceResource, tagOnCreate } from './access.ts';
import { clusterOf, type EcsApi, type EcsOperations, homeOf } from './options.ts';

const mostServices = 10;

/** Create, update, delete, describe and list services. */
export function serviceOperations(options: EcsApi): EcsOperations {
  const nameOf = (identifier: string | undefined, ref: ClusterRef, call: Call): string =>
    parseMember('service', identifier ?? '', ref.cluster, homeOf(options, call));

  const allow = async (
    action: string,
    input: { readonly cluster?: string | undefined; readonly service?: string | undefined },
    call: Call,
  ): Promise<[AccessRequest]> => {
    const ref = clusterOf(options, call, input.cluster);
    const resource = await serviceResource(options, ref, nameOf(input.service, ref, call));
    return [{ action: `ecs:${action}`, resources: [resource], context: inCluster(options, ref) }];
  };

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
              ...(definition === undefined ? {} : { 'ecs:task-definition': definition.arn }),
            },
          },
          ...tagOnCreate('CreateService', arn, input.tags),
          ...passRoles(rolesOf(definition)),
          ...(input.tags?.some(({ key }) => key === followTag) === true
            ? updateAccess(options, { ...ref, service: input.serviceName ?? '' }, undefined, definition)
            : []),
        ];
      },
      handle: async (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        await activeCluster(options, ref);
        if (input.taskDefinition === undefined) {
          throw invalidParameter('TaskDefinition can not be blank.');
        }
        const definition = await activeDefinition(options, call.account, input.taskDefinition);
        const draft = parseCreate(input, definition, call.principal, options.extensions);
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
        return updateAccess(options, place, await findService(options, place), definition);
      },
      handle: async (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        await activeCluster(options, ref);
        const definition =
          input.taskDefinition === undefined
            ? undefined
            : await activeDefinition(options, call.account, input.taskDefinition);
        const service = await updateService(
          options,
          { ...ref, service: nameOf(input.service, ref, call) },
          (current) => parseUpdate(input, current, definition, options.extensions),
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
