import { policyArn, roleArn } from '../arns.ts';
import type { RoleEntity } from '../entities.ts';
import { keys } from '../keys.ts';
import { invalidInput, noSuchEntity } from '../errors.ts';
import { uniqueId } from '../ids.ts';
import { awsManagedPolicies } from '../managed/index.ts';
import { need, newEntity, resourceOf } from './access.ts';
import { put, roleIn } from './change.ts';
import type { Iam, IamOperations } from './iam.ts';
import { showRole } from './show.ts';

/** The services that have a role of their own here: its name and its policy (which exists when the service needs one). */
const linked: ReadonlyMap<string, { readonly role: string; readonly policy: string }> = new Map([
  ['ecs.amazonaws.com', { role: 'AWSServiceRoleForECS', policy: 'AmazonECSServiceRolePolicy' }],
  [
    'ecs.application-autoscaling.amazonaws.com',
    { role: 'AWSServiceRoleForApplicationAutoScaling_ECSService', policy: 'AWSApplicationAutoscalingECSServicePolicy' },
  ],
]);

const pathOf = (service: string): string => `/aws-service-role/${service}/`;

export function serviceLinkedRoleOperations(iam: Iam): IamOperations {
  return {
    CreateServiceLinkedRole: {
      access: (input, call) => {
        const service = input.AWSServiceName ?? '';
        const role = newEntity(call, 'role', linked.get(service)?.role ?? '*', pathOf(service));
        return need('CreateServiceLinkedRole', role, { 'iam:AWSServiceName': service });
      },
      async handle(input, call) {
        const service = input.AWSServiceName ?? '';
        const known = linked.get(service);
        if (known === undefined)
          throw invalidInput(
            `Service role name for ${service} cannot be found: the service has no service-linked role.`,
          );
        if (input.CustomSuffix !== undefined) throw invalidInput('Custom suffix is not allowed for ' + service);
        const policy = policyArn('aws', { path: '/aws-service-role/', name: known.policy });
        const role: RoleEntity = {
          kind: 'role',
          name: known.role,
          path: pathOf(service),
          id: uniqueId('AROA', iam.accounts.ports.random),
          created: iam.now(),
          description: input.Description ?? '',
          maxSession: 3600,
          trust: JSON.stringify({
            Version: '2012-10-17',
            Statement: [{ Effect: 'Allow', Principal: { Service: service }, Action: 'sts:AssumeRole' }],
          }),
          tags: {},
          attached: awsManagedPolicies.has(policy) ? [policy] : [],
          inline: {},
          linkedTo: service,
        };
        await iam.transact(call.account, async (tx) => {
          const key = keys.role(role.name);
          if ((await tx.get(key)) !== undefined) {
            throw invalidInput(
              `Service role name ${role.name} has been taken in this account, please try a different suffix.`,
            );
          }
          put(tx, role);
          for (const arn of role.attached) tx.put(keys.attachment(arn, key), true);
        });
        return { Role: showRole(call.account, role, role.trust) };
      },
    },

    DeleteServiceLinkedRole: {
      access: async (input, call) => need('DeleteServiceLinkedRole', await resourceOf.role(iam, call, input.RoleName)),
      async handle(input, call) {
        const role = await iam.transact(call.account, async (tx) => {
          const found = await roleIn(tx, input.RoleName ?? '');
          if (found.linkedTo === undefined)
            throw invalidInput(`${roleArn(call.account, found)} is not a service-linked role.`);
          tx.remove(keys.role(found.name));
          for (const arn of found.attached) tx.remove(keys.attachment(arn, keys.role(found.name)));
          return found;
        });
        return { DeletionTaskId: `task${role.path}${role.name}/${role.id}` };
      },
    },

    GetServiceLinkedRoleDeletionStatus: {
      access: async (input, call) => {
        const name = roleOfTask(input.DeletionTaskId);
        return need('GetServiceLinkedRoleDeletionStatus', await resourceOf.role(iam, call, name));
      },
      async handle(input, call) {
        const name = roleOfTask(input.DeletionTaskId);
        const role = await iam.find(call.account, keys.role(name));
        if (role !== undefined && role.id === input.DeletionTaskId?.split('/').at(-1)) {
          throw noSuchEntity(`Deletion task ${input.DeletionTaskId} cannot be found.`);
        }
        // A deletion is done when DeleteServiceLinkedRole answers.
        return { Status: 'SUCCEEDED' };
      },
    },
  };
}

function roleOfTask(task = ''): string {
  const parts = task.split('/');
  if (parts.length !== 5 || parts[0] !== 'task') throw noSuchEntity(`Deletion task ${task} cannot be found.`);
  return parts[3] as string;
}
