import { AwsError, type Call } from '@slipway/auth/contract';
import { arnOf } from '@slipway/auth/kit';

import { ofStrategy } from '../cluster/index.ts';
import { callOf, serviceAccess } from '../services/index.ts';
import { arns as ecsArns, type LaunchSettings, type ServiceRecord, type TaskDefinitionRecord } from '../state/index.ts';
import { passRoles, rolesOf } from '../tasks/index.ts';

import { refuse } from './errors.ts';
import { arns } from './names.ts';
import { type CodeDeployApi, placeOf } from './options.ts';
import type { GroupRecord } from './records.ts';

/**
 * What CodeDeploy does, it does with the rights of the group's role: whoever may deploy by the group gives no task a role that this one
 * may not pass on.
 * @throws InvalidRoleException
 */
export async function checkRole(
  api: CodeDeployApi,
  group: GroupRecord,
  id: string,
  on: {
    readonly service: ServiceRecord;
    readonly definition: TaskDefinitionRecord;
    readonly call: Call;
    readonly launch: LaunchSettings | undefined;
    /** Names of those that it is asked about. */
    readonly alarms: readonly string[];
  },
): Promise<void> {
  const { roleArn, productionListener, testListener, service } = group;
  const place = placeOf(api, on.call);
  const sourceArn = arns.group(place, group.application, group.name);
  const refusal = (why: string): Error => refuse('InvalidRole', `The role ${roleArn} of the deployment group ${why}`);
  const principal = await api.takeRole({ roleArn, sessionName: id, sourceArn }).catch((error: unknown) => {
    if (!(error instanceof AwsError)) throw error;
    throw refusal(`cannot be taken on for codedeploy.amazonaws.com: ${error.message}`);
  });
  const ref = { account: on.call.account, cluster: service.cluster, service: service.name };
  const inService = serviceAccess(api, 'ecs:CreateTaskSet', ref, on.service);
  const sets = `${ecsArns.service(api.region, ref.account, ref.cluster, ref.service).replace(':service/', ':task-set/')}/*`;
  const call = callOf(api, principal);
  for (const access of [
    {
      ...inService,
      resources: [{ arn: sets }],
      context: { ...inService.context, ...ofStrategy(place, on.launch?.capacityProviderStrategy) },
    },
    { ...inService, action: 'ecs:UpdateServicePrimaryTaskSet' },
    { ...inService, action: 'ecs:DeleteTaskSet', resources: [{ arn: sets }] },
    ...[productionListener, testListener].flatMap((arn) =>
      arn === undefined ? [] : [{ action: 'elasticloadbalancing:ModifyListener', resources: [{ arn }], context: {} }],
    ),
    ...on.alarms.map((name) => ({
      action: 'cloudwatch:DescribeAlarms',
      resources: [
        { arn: arnOf({ service: 'cloudwatch', region: api.region, account: ref.account, resource: `alarm:${name}` }) },
      ],
      context: {},
    })),
    ...passRoles(rolesOf(on.definition)),
  ]) {
    const { allowed, reason } = await api.authorizer.authorize(principal, access, call);
    if (!allowed) throw refusal(`may not ${access.action} on ${access.resources[0]?.arn ?? '*'}: ${reason}`);
  }
}
