import type * as sdk from '@aws-sdk/client-ecr';
import { AwsError, type Operations } from '@slipway/auth/contract';
import { operation } from './errors.ts';
import { onRegistry, type EcrPorts } from './ports.ts';

/** Settings of an account, their values and what they are as long as nobody set them. */
const accountSettings: Readonly<Record<string, { readonly values: readonly string[]; readonly otherwise: string }>> = {
  BASIC_SCAN_TYPE_VERSION: { values: ['AWS_NATIVE'], otherwise: 'AWS_NATIVE' },
  REGISTRY_POLICY_SCOPE: { values: ['V1', 'V2'], otherwise: 'V2' },
  BLOB_MOUNTING: { values: ['ENABLED', 'DISABLED'], otherwise: 'ENABLED' },
};

/** Operations on the registry as a whole. */
export function registryOperations(ports: EcrPorts) {
  const { repositories } = ports.images;

  return {
    GetAuthorizationToken: operation({
      access: onRegistry('GetAuthorizationToken'),
      handle: async (_input: sdk.GetAuthorizationTokenCommandInput, call) => {
        const { token, expiresAt } = await ports.issueToken(call);
        return {
          authorizationData: [
            { authorizationToken: token, expiresAt: new Date(expiresAt), proxyEndpoint: call.endpoint },
          ],
        };
      },
    }),

    GetAccountSetting: operation({
      access: onRegistry('GetAccountSetting'),
      handle: async (input: sdk.GetAccountSettingCommandInput, call) => {
        const { name, otherwise } = settingOf(input.name);
        const { settings } = await repositories.registry(call.account);
        return { name, value: settings?.[name] ?? otherwise };
      },
    }),

    PutAccountSetting: operation({
      access: onRegistry('PutAccountSetting'),
      handle: async (input: sdk.PutAccountSettingCommandInput, call) => {
        const { name, values } = settingOf(input.name);
        const value = input.value ?? '';
        if (!values.includes(value))
          throw new AwsError('ValidationException', `The setting ${name} can be ${values.join(' or ')} here`);
        await repositories.updateRegistry(call.account, (registry) => ({
          ...registry,
          settings: { ...registry.settings, [name]: value },
        }));
        return { name, value };
      },
    }),
  } satisfies Operations<typeof sdk>;
}

function settingOf(name = '') {
  const setting = Object.hasOwn(accountSettings, name) ? accountSettings[name] : undefined;
  if (setting === undefined)
    throw new AwsError(
      'ValidationException',
      `There is no account setting of this name; there are ${Object.keys(accountSettings).join(', ')}`,
    );
  return { name, ...setting };
}
