import { definePartition, type OwnedRows } from '@slipway/storage/records';

/** Where the records of CodeDeploy lie: one partition for each account. */
export const codeDeploys = definePartition(
  'codedeploy/<account>',
  'the applications, deployment groups, configurations and deployments of CodeDeploy in one account',
);
export const codeDeployPartition = codeDeploys.name;

export const codeDeployKeys = {
  application: (name: string): string => `application/${name}`,
  applications: 'application/',
  group: (application: string, name: string): string => `group/${application}/${name}`,
  groupsOf: (application: string): string => `group/${application}/`,
  groups: 'group/',
  configuration: (name: string): string => `configuration/${name}`,
  configurations: 'configuration/',
  /** Which group deploys a service: one alone. */
  service: (cluster: string, name: string): string => `service/${cluster}/${name}`,
  services: 'service/',
  deployment: (id: string): string => `deployment/${id}`,
  deployments: 'deployment/',
  /** The deployment of which a rollback is, by the id that the rollback has. */
  rollback: (id: string): string => `rollback/${id}`,
  rollbacks: 'rollback/',
  /** Ids of deployments whose end is not written down. */
  open: (id: string): string => `open/${id}`,
  opens: 'open/',
  /** Signs the page tokens of the account's lists. */
  signingKey: 'signing-key',
} as const;

export const codeDeployRows: OwnedRows = {
  partition: codeDeploys,
  owner: 'scheduler/codedeploy',
  keys: [
    codeDeployKeys.applications,
    codeDeployKeys.groups,
    codeDeployKeys.configurations,
    codeDeployKeys.services,
    codeDeployKeys.deployments,
    codeDeployKeys.rollbacks,
    codeDeployKeys.opens,
    codeDeployKeys.signingKey,
  ],
};
