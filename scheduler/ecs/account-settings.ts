import type { Setting, SettingName } from '@aws-sdk/client-ecs';
import type { Call } from '@slipway/auth/contract';

import { type EcsPorts, invalidParameter, notSupported, scan } from '../cluster/index.ts';
import { insightsValues } from '../signals/usage/index.ts';
import { accountKeys, accountPartition, toJson } from '../state/index.ts';
import type { EcsOperations } from './options.ts';

/** How this installation behaves, in terms of the settings that ECS lets an account choose. */
const settings: Readonly<Record<SettingName, string>> = {
  serviceLongArnFormat: 'enabled',
  taskLongArnFormat: 'enabled',
  containerInstanceLongArnFormat: 'enabled',
  awsvpcTrunking: 'disabled',
  containerInsights: 'disabled',
  fargateFIPSMode: 'disabled',
  tagResourceAuthorization: 'on',
  fargateTaskRetirementWaitPeriod: '7',
  guardDutyActivate: 'off',
  defaultLogDriverMode: 'blocking',
  fargateEventWindows: 'disabled',
};

/** Those that can be put to something else than what holds anyway. */
const choices: Partial<Record<SettingName, readonly string[]>> = { containerInsights: insightsValues };

/** A setting that somebody put; without a value it was put to the one that holds anyway. */
interface PutSetting {
  readonly name: SettingName;
  readonly principalArn: string;
  readonly value?: string;
}

const valueOf = ({ name, value }: PutSetting): string => value ?? settings[name];

/** What holds for somebody: what was put for them, else for everybody in the account, else what this installation does. */
export async function effectiveSetting(
  records: EcsPorts['records'],
  name: SettingName,
  call: Call,
  principalArn: string = principalOf(undefined, call),
): Promise<string> {
  const partition = accountPartition(call.account);
  const keys = [principalArn, rootOf(call)].map((arn) => accountKeys.accountSetting(arn, name));
  const found = await records.getMany<PutSetting>(partition, keys);
  const put = keys.flatMap((key) => found.get(key)?.value ?? [])[0];
  return put === undefined ? settings[name] : valueOf(put);
}

/** Account settings: Container Insights of new clusters can be chosen; of others putting another value is refused. */
export function accountSettingOperations({ records }: Pick<EcsPorts, 'records'>): EcsOperations {
  const put = async (name: string | undefined, value: string | undefined, principalArn: string, call: Call) => {
    const setting = known(name);
    const allowed = choices[setting] ?? [settings[setting]];
    if (value === undefined || !allowed.includes(value)) {
      const instead =
        allowed.length === 1
          ? `It is always '${settings[setting]}' here.`
          : `Use one of ${allowed.map((one) => `'${one}'`).join(', ')}.`;
      throw notSupported(`Account setting ${setting} '${value ?? ''}'`, instead);
    }
    const row: PutSetting = { name: setting, principalArn, value };
    await records.commit(accountPartition(call.account), {
      put: [{ key: accountKeys.accountSetting(principalArn, setting), value: toJson(row) }],
    });
    return { setting: view(row) };
  };
  return {
    ListAccountSettings: {
      access: () => [{ action: 'ecs:ListAccountSettings', resources: [{ arn: '*' }] }],
      handle: async (input, call) => {
        const name = input.name === undefined ? undefined : known(input.name);
        const principal = principalOf(input.principalArn, call);
        const listed: PutSetting[] = [];
        if (input.effectiveSettings === true)
          for (const each of Object.keys(settings) as SettingName[]) {
            const value = await effectiveSetting(records, each, call, principal);
            listed.push({ name: each, principalArn: principal, value });
          }
        else {
          const rows = scan<PutSetting>(
            records,
            accountPartition(call.account),
            accountKeys.accountSetting(principal, ''),
          );
          for await (const { value } of rows) listed.push(value);
        }
        return {
          settings: listed
            .filter(
              (each) => (name === undefined || each.name === name) && (input.value ?? valueOf(each)) === valueOf(each),
            )
            .map(view),
        };
      },
    },
    PutAccountSetting: {
      access: (input) => allow('PutAccountSetting', input.name),
      handle: (input, call) => put(input.name, input.value, principalOf(input.principalArn, call), call),
    },
    PutAccountSettingDefault: {
      access: (input) => allow('PutAccountSettingDefault', input.name),
      handle: (input, call) => put(input.name, input.value, rootOf(call), call),
    },
    DeleteAccountSetting: {
      access: (input) => allow('DeleteAccountSetting', input.name),
      handle: async (input, call) => {
        const setting = known(input.name);
        const principal = principalOf(input.principalArn, call);
        await records.commit(accountPartition(call.account), {
          remove: [accountKeys.accountSetting(principal, setting)],
        });
        return { setting: view({ name: setting, principalArn: principal }) };
      },
    },
  };
}

const rootOf = (call: Call): string => `arn:aws:iam::${call.account}:root`;

/**
 * Whose settings a request is about: a user's, a role's or the root's, which are the account's. Sessions of a role share its settings.
 * @throws InvalidParameterException when it names somebody of another account, or nobody
 */
function principalOf(named: string | undefined, call: Call): string {
  const [, role] = /^arn:aws:sts::\d{12}:assumed-role\/([^/]+)\/[^/]+$/.exec(call.principal.arn) ?? [];
  const own = role === undefined ? call.principal.arn : `arn:aws:iam::${call.account}:role/${role}`;
  if (named === undefined) return own;
  const parsed = /^arn:aws:iam::(\d{12}):(?:root|(?:user|role)\/[\w+=,.@/-]{1,576})$/.exec(named);
  if (parsed?.[1] === call.account) return named;
  throw invalidParameter(`'${named}' is not the ARN of a user, a role or the root user of account ${call.account}.`);
}

const allow = (action: string, name: string | undefined) =>
  [{ action: `ecs:${action}`, resources: [{ arn: '*' }], context: { 'ecs:account-setting': name } }] as const;

const view = (put: PutSetting): Setting => ({
  name: put.name,
  value: valueOf(put),
  principalArn: put.principalArn,
  type: 'user',
});

function known(name: string | undefined): SettingName {
  if (name !== undefined && Object.hasOwn(settings, name)) return name as SettingName;
  throw invalidParameter(`Unknown account setting '${name ?? ''}': use one of ${Object.keys(settings).join(', ')}.`);
}
