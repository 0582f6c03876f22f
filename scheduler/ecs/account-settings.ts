import type { Setting, SettingName } from '@aws-sdk/client-ecs';
import type { Call } from '@slipway/auth/contract';

import { type EcsPorts, invalidParameter, notSupported, scan } from '../cluster/index.ts';
import { accountKeys, accountPartition, toJson } from '../state/index.ts';
import type { EcsOperations } from './options.ts';

/** How this installation behaves, in terms of the settings that ECS lets an account choose. None of them can be changed. */
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

/** A setting that somebody put: it can only have the value that holds anyway, and is listed as put. */
interface PutSetting {
  readonly name: SettingName;
  readonly principalArn: string;
}

/** Account settings: they read as what they are, and putting another value is refused. */
export function accountSettingOperations({ records }: Pick<EcsPorts, 'records'>): EcsOperations {
  const put = async (name: string | undefined, value: string | undefined, principalArn: string, call: Call) => {
    const setting = known(name);
    if (value !== settings[setting]) {
      throw notSupported(`Account setting ${setting} '${value ?? ''}'`, `It is always '${settings[setting]}' here.`);
    }
    const row: PutSetting = { name: setting, principalArn };
    await records.commit(accountPartition(call.account), {
      put: [{ key: accountKeys.accountSetting(principalArn, setting), value: toJson(row) }],
    });
    return { setting: view(setting, principalArn) };
  };
  return {
    ListAccountSettings: {
      access: () => [{ action: 'ecs:ListAccountSettings', resources: [{ arn: '*' }] }],
      handle: async (input, call) => {
        const name = input.name === undefined ? undefined : known(input.name);
        const principal = principalOf(input.principalArn, call);
        const listed: SettingName[] = [];
        if (input.effectiveSettings === true) listed.push(...(Object.keys(settings) as SettingName[]));
        else {
          const rows = scan<PutSetting>(
            records,
            accountPartition(call.account),
            accountKeys.accountSetting(principal, ''),
          );
          for await (const { value } of rows) listed.push(value.name);
        }
        return {
          settings: listed
            .filter(
              (each) => (name === undefined || each === name) && (input.value ?? settings[each]) === settings[each],
            )
            .map((each) => view(each, principal)),
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
        return { setting: view(setting, principal) };
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

const view = (name: SettingName, principalArn: string): Setting => ({
  name,
  value: settings[name],
  principalArn,
  type: 'user',
});

function known(name: string | undefined): SettingName {
  if (name !== undefined && Object.hasOwn(settings, name)) return name as SettingName;
  throw invalidParameter(`Unknown account setting '${name ?? ''}': use one of ${Object.keys(settings).join(', ')}.`);
}
