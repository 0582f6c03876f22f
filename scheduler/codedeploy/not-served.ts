import { notDone } from './errors.ts';
import type { CodeDeployOperations } from './options.ts';

const hosts = 'Deployments are of ECS services; there are no instances of Server deployments.';
const revisions =
  'An AppSpec is given to CreateDeployment, and GetDeployment shows it: nothing is registered beforehand.';
const github = 'Give CreateDeployment the content of an AppSpec (revisionType AppSpecContent).';

/** Every operation of the CodeDeploy API that is not served, and what to do instead; so that none is answered as if it did not exist. */
export const notServed = {
  AddTagsToOnPremisesInstances: hosts,
  BatchGetApplicationRevisions: revisions,
  BatchGetDeploymentInstances: 'Use BatchGetDeploymentTargets.',
  BatchGetOnPremisesInstances: hosts,
  DeleteGitHubAccountToken: github,
  DeleteResourcesByExternalId: 'Delete what you made by its own name.',
  DeregisterOnPremisesInstance: hosts,
  GetApplicationRevision: revisions,
  GetDeploymentInstance: 'Use GetDeploymentTarget.',
  GetOnPremisesInstance: hosts,
  ListApplicationRevisions: revisions,
  ListDeploymentInstances: 'Use ListDeploymentTargets.',
  ListGitHubAccountTokenNames: github,
  ListOnPremisesInstances: hosts,
  PutLifecycleEventHookExecutionStatus:
    'A hook answers by itself: a webhook in the answer to its call, a command task by its exit code.',
  RegisterApplicationRevision: revisions,
  RegisterOnPremisesInstance: hosts,
  RemoveTagsFromOnPremisesInstances: hosts,
  SkipWaitTimeForInstanceTermination: 'Use ContinueDeployment with deploymentWaitType TERMINATION_WAIT.',
} as const satisfies Partial<Record<keyof CodeDeployOperations, string>>;

/** Whoever may call them is told why that does nothing here; others are denied as ever. */
export function notServedOperations(): CodeDeployOperations {
  return Object.fromEntries(
    Object.entries(notServed).map(([name, instead]) => [
      name,
      {
        access: () => [{ action: `codedeploy:${name}`, resources: [{ arn: '*' }] }],
        handle: () => Promise.reject(notDone(name, instead)),
      },
    ]),
  );
}
