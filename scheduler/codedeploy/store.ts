import { scanAll } from '../cluster/index.ts';

import { noApplication, noGroup } from './errors.ts';
import { codeDeployKeys, codeDeployPartition } from './keys.ts';
import type { CodeDeployOptions } from './options.ts';
import type { ApplicationRecord, ConfigurationRecord, GroupRecord } from './records.ts';
import { predefined } from './routing.ts';

type Ports = Pick<CodeDeployOptions, 'records'>;

/** @throws ApplicationDoesNotExistException */
export async function application(ports: Ports, account: string, name: string): Promise<ApplicationRecord> {
  const key = codeDeployKeys.application(name);
  const found = await ports.records.get<ApplicationRecord>(codeDeployPartition(account), key);
  if (found === undefined) throw noApplication(name);
  return found.value;
}

/** @throws ApplicationDoesNotExistException, DeploymentGroupDoesNotExistException */
export async function group(ports: Ports, account: string, of: string, name: string): Promise<GroupRecord> {
  const found = await ports.records.get<GroupRecord>(codeDeployPartition(account), codeDeployKeys.group(of, name));
  if (found !== undefined) return found.value;
  await application(ports, account, of);
  throw noGroup(name);
}

/** One that comes with CodeDeploy, or the account's own; undefined where there is none. */
export async function configuration(
  ports: Ports,
  account: string,
  name: string,
): Promise<ConfigurationRecord | undefined> {
  const own = codeDeployKeys.configuration(name);
  return (
    predefined.find((one) => one.name === name) ??
    (await ports.records.get<ConfigurationRecord>(codeDeployPartition(account), own))?.value
  );
}

/** The groups of an application, by name. */
export const groupsOf = (ports: Ports, account: string, of: string): Promise<GroupRecord[]> =>
  scanAll<GroupRecord>(ports.records, codeDeployPartition(account), codeDeployKeys.groupsOf(of));
