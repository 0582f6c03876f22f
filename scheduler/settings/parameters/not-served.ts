import { refusalsOf } from '@slipway/auth/kit';

import { unsupported } from './errors.ts';
import { mayList, type ParametersOperations } from './operation.ts';
import { nothing, operationSchema, struct } from './shapes.ts';

const policies = 'Who may read a parameter is said by the policies of users and roles.';
const hosts =
  'Hosts are looked after by their own means; what is served of Systems Manager is Parameter Store, and what goes on with sessions of ECS Exec.';
const exec =
  'Sessions are begun with ecs:ExecuteCommand (aws ecs execute-command, slipway exec), in containers of tasks.';

/** Operations of the API that people may look for and that are not served, and what to do instead. */
export const notServed: Readonly<Record<string, string>> = {
  PutResourcePolicy: policies,
  GetResourcePolicies: policies,
  DeleteResourcePolicy: policies,
  SendCommand: hosts,
  ListCommands: hosts,
  StartSession: exec,
  GetConnectionStatus: exec,
  DescribeInstanceInformation: hosts,
  DescribeDocument: hosts,
  GetDocument: hosts,
  ListDocuments: hosts,
  StartAutomationExecution: hosts,
};

export const notServedOperations: ParametersOperations = refusalsOf(notServed, {
  operationSchema,
  inputOf: (name) => struct(`${name}Request`, {}),
  nothing,
  mayList,
  unsupported,
});
