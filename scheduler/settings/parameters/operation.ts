import {
  type AccessList,
  type AccessRequest,
  type Authorizer,
  type ConditionContext,
  type ResourceRef,
} from '@slipway/auth/contract';
import {
  type ApiOperation,
  type ApiOperations,
  arnOf,
  type Declared,
  declareOperation,
  type Pages,
  parseArn,
  type SceneOf,
} from '@slipway/auth/kit';

import { allow, type Secrets } from '../secrets/index.ts';

import { unsupported } from './errors.ts';
import { parameterArn, readReference } from './names.ts';
import type { ParameterRecord, ParameterVersion } from './records.ts';
import { operationSchema } from './shapes.ts';
import type { Parameters } from './store.ts';

/** What the operations work with. */
export interface ParametersApi {
  readonly parameters: Parameters;
  /** What is read under `/aws/reference/secretsmanager/`. */
  readonly secrets: Secrets;
  /** For the keys of what one request reads. */
  readonly authorizer: Authorizer;
  readonly region: string;
  readonly pages: Pages;
}

export type Scene = SceneOf<ParametersApi>;
export type ParametersOperations = ApiOperations<ParametersApi>;

/** Declares an operation. */
export const operation = <I, O>(declared: Declared<ParametersApi, I, O>): ApiOperation<ParametersApi> =>
  declareOperation({ operationSchema, unsupported }, declared);

/** The key of secure strings for which none is named. */
export const keyId = 'alias/aws/ssm';

/** What policies can say about a parameter, by its name, its ARN, and whatever version is asked for. */
export async function reference(scene: Scene, text: string): Promise<ResourceRef> {
  const { api, account } = scene;
  const found = await api.parameters.find(account, text);
  if (found !== undefined) return { arn: api.parameters.arn(account, found.name), tags: found.tags };
  const asked = readReference(scene, text);
  return { arn: asked === undefined ? (parseArn(text) === undefined ? '*' : text) : parameterArn(scene, asked.name) };
}

/** `ssm:<action>` on parameters (service authorization reference, "AWS Systems Manager"). */
export async function accessTo(
  scene: Scene,
  action: string,
  names: readonly string[],
  context: ConditionContext = {},
): Promise<AccessRequest> {
  return {
    action: `ssm:${action}`,
    resources: await Promise.all(names.map((name) => reference(scene, name))),
    context,
  };
}

export const mayOn =
  <I>(
    action: string,
    namesOf: (input: NoInfer<I>) => readonly string[],
    contextOf: (input: NoInfer<I>) => ConditionContext = () => ({}),
  ) =>
  async (input: I, scene: Scene): Promise<AccessList> => [
    await accessTo(scene, action, namesOf(input), contextOf(input)),
  ];

/** Access to what is of no one parameter. */
export const mayList =
  (action: string) =>
  (_: unknown, { region, account }: Scene): AccessList => [
    { action: `ssm:${action}`, resources: [{ arn: arnOf({ service: 'ssm', region, account, resource: '*' }) }] },
  ];

/** What is said of a version wherever one is described. */
export const described = (name: string, version: ParameterVersion) => ({
  Name: name,
  Type: version.type,
  ...(version.type === 'SecureString' ? { KeyId: version.keyId ?? keyId } : {}),
  LastModifiedDate: new Date(version.modifiedAt),
  LastModifiedUser: version.modifiedBy,
  ...(version.description === undefined ? {} : { Description: version.description }),
  ...(version.allowedPattern === undefined ? {} : { AllowedPattern: version.allowedPattern }),
  Version: version.version,
  Tier: version.tier,
  DataType: 'text',
});

/** A value as answers have it: of a SecureString, only who asks for it decrypted sees it. */
export async function valueOf(
  scene: Scene,
  parameter: ParameterRecord,
  version: ParameterVersion,
  decrypted: boolean | undefined,
): Promise<string> {
  const { api, account } = scene;
  if (decrypted === true && version.key !== undefined)
    for (const access of await api.parameters.keyAccess(account, parameter.name, 'Decrypt', version.key))
      await allow(scene, access);
  const { clear, sealed } = await api.parameters.value(account, parameter, version);
  return version.type === 'SecureString' && decrypted !== true ? sealed : clear;
}
