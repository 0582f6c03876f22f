import type { Setting, SettingName } from '@aws-sdk/client-ecs';
import type { Call } from '@slipway/auth/contract';

import { invalidParameter, notSupported } from '../cluster/index.ts';
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

/** Account settings: they read as what they are, and putting another value is refused. */
export function accountSettingOperations(): EcsOperations {
  return {
    ListAccountSettings: {
      access: () => [{ action: 'ecs:ListAccountSettings', resources: [{ arn: '*' }] }],
      handle: (input, call) => {
        const names = input.name === undefined ? (Object.keys(settings) as SettingName[]) : [known(input.name)];
        const principal = input.principalArn ?? call.principal.arn;
        const listed = input.effectiveSettings === true ? names.map((name) => view(name, principal)) : [];
        return Promise.resolve({
          settings: listed.filter(({ value }) => input.value === undefined || value === input.value),
        });
      },
    },
    PutAccountSetting: {
      access: (input) => allow('PutAccountSetting', input.name),
      handle: (input, call) => Promise.resolve({ setting: put(input.name, input.value, input.principalArn, call) }),
    },
    PutAccountSettingDefault: {
      access: (input) => allow('PutAccountSettingDefault', input.name),
      handle: (input, call) => Promise.resolve({ setting: put(input.name, input.value, undefined, call) }),
    },
    DeleteAccountSetting: {
      access: (input) => allow('DeleteAccountSetting', input.name),
      handle: (input, call) =>
        Promise.resolve({ setting: view(known(input.name), input.principalArn ?? call.principal.arn) }),
    },
  };
}

const allow = (action: string, name: string | undefined) =>
  [{ action: `ecs:${action}`, resources: [{ arn: '*' }], context: { 'ecs:account-setting': name } }] as const;

function put(name: string | undefined, value: string | undefined, principal: string | undefined, call: Call): Setting {
  const setting = known(name);
  if (value !== settings[setting]) {
    throw notSupported(`Account setting ${setting} '${value ?? ''}'`, `It is always '${settings[setting]}' here.`);
  }
  return view(setting, principal ?? call.principal.arn);
}

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
