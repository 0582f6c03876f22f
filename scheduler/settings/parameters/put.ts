import { AwsError } from '@slipway/auth/contract';
import { requestTags, tagsAsSent } from '@slipway/auth/kit';

import { parsePattern, PatternError } from '../../signals/logs/index.ts';

import { notFound, unsupported, validation } from './errors.ts';
import { checkName } from './names.ts';
import { accessTo, mayOn, operation, type ParametersOperations, type Scene } from './operation.ts';
import type { ParameterRecord, ParameterTier, ParameterType } from './records.ts';
import { byName, flag, nothing, number, refused, required, secret, struct, tags, text, texts } from './shapes.ts';
import { newest } from './store.ts';
import { parameterTags } from './tagging.ts';

/** Bytes of a value, by tier (Systems Manager user guide, "Managing parameter tiers"). */
const mostBytes = { Standard: 4096, Advanced: 8192 } as const;

/** Parameters: put and deleted. */
export const putOperations: ParametersOperations = {
  PutParameter: operation({
    input: struct('PutParameterRequest', {
      ...byName,
      Value: required(secret(text)),
      Description: text,
      Type: text,
      KeyId: text,
      Overwrite: flag,
      AllowedPattern: text,
      Tags: tags,
      Tier: text,
      Policies: refused(text, 'Parameters do not expire and tell nobody: leave Policies out.'),
      DataType: text,
    }),
    output: struct('PutParameterResult', { Version: number, Tier: text }),
    bodyBytes: 128 * 1024,
    access: async ({ Name, Overwrite = false, Tags, KeyId }, scene) => {
      const tagged = requestTags(tagsAsSent(Tags));
      const put = await accessTo(scene, 'PutParameter', [Name], { 'ssm:Overwrite': String(Overwrite), ...tagged });
      const key = await scene.api.parameters.keyAccess(scene.account, Name, 'Encrypt', KeyId);
      return Tags === undefined || Tags.length === 0
        ? [put, ...key]
        : [put, await accessTo(scene, 'AddTagsToResource', [Name], tagged), ...key];
    },
    handle: async (input, scene) => {
      const { api, account, call } = scene;
      const { Name: name, Value: value, Overwrite: overwrite = false, DataType: dataType = 'text' } = input;
      checkName(name, api.parameters.arn(account, name));
      if (dataType !== 'text')
        throw unsupported(`DataType ${dataType}`, 'Values are texts that nobody looks into: leave it out.');
      if (value === '') throw validation('Parameter value must not be empty.');
      const added = parameterTags.parse(input.Tags);
      if (overwrite && Object.keys(added).length > 0)
        throw validation(
          "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.",
        );
      const kmsKey = await keyChosen(scene, input.KeyId);
      const put = await api.parameters.put(account, name, value, (before) => {
        if (before !== undefined && !overwrite)
          throw new AwsError(
            'ParameterAlreadyExists',
            'The parameter already exists. To overwrite this value, set the overwrite option in the request to true.',
          );
        const last = before && newest(before);
        const type = (input.Type as ParameterType | undefined) ?? last?.type;
        if (type === undefined) throw validation('A parameter type is required when you create a parameter.');
        if (input.KeyId !== undefined && type !== 'SecureString')
          throw validation('KeyId is for parameters of type SecureString: leave it out.');
        const description = input.Description ?? last?.description;
        const allowedPattern = input.AllowedPattern ?? last?.allowedPattern;
        checkPattern(allowedPattern, type === 'StringList' ? value.split(',') : [value]);
        return {
          tags: before?.tags ?? added,
          version: {
            type,
            tier: tierOf(input.Tier, before, value),
            ...(description === undefined || description === '' ? {} : { description }),
            ...(allowedPattern === undefined || allowedPattern === '' ? {} : { allowedPattern }),
            ...(kmsKey === undefined ? {} : { keyId: kmsKey }),
            modifiedBy: call.principal.arn,
          },
        };
      });
      return { Version: put.version, Tier: put.tier };
    },
  }),
  DeleteParameter: operation({
    input: struct('DeleteParameterRequest', byName),
    output: nothing,
    access: mayOn('DeleteParameter', ({ Name }) => [Name]),
    handle: async ({ Name }, { api, account }) => {
      if (!(await api.parameters.remove(account, Name))) throw notFound(Name);
      return {};
    },
  }),
  DeleteParameters: operation({
    input: struct('DeleteParametersRequest', { Names: required(texts) }),
    output: struct('DeleteParametersResult', { DeletedParameters: texts, InvalidParameters: texts }),
    access: mayOn('DeleteParameters', ({ Names }) => Names),
    handle: async ({ Names }, { api, account }) => {
      const deleted: string[] = [];
      for (const name of new Set(Names)) if (await api.parameters.remove(account, name)) deleted.push(name);
      return {
        DeletedParameters: deleted,
        InvalidParameters: [...new Set(Names)].filter((name) => !deleted.includes(name)),
      };
    },
  }),
};

/** The tier of a value: what is asked for, or what it was, or the least that holds it. @throws ValidationException */
function tierOf(asked: string | undefined, before: ParameterRecord | undefined, value: string): ParameterTier {
  const size = Buffer.byteLength(value);
  const had = before && newest(before).tier;
  if (asked === 'Standard' && had === 'Advanced')
    throw validation(
      "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard parameter.",
    );
  const tier =
    asked === 'Advanced' || had === 'Advanced' || (asked === 'Intelligent-Tiering' && size > mostBytes.Standard)
      ? 'Advanced'
      : 'Standard';
  if (size <= mostBytes[tier]) return tier;
  throw validation(
    tier === 'Standard'
      ? `Standard tier parameters support a maximum parameter value of ${mostBytes.Standard} characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier.`
      : `Advanced tier parameters support a maximum parameter value of ${mostBytes.Advanced} characters.`,
  );
}

/** The key that a request names, as it is kept: undefined for Parameter Store's own. @throws ValidationException, InvalidKeyId */
async function keyChosen(scene: Scene, key: string | undefined): Promise<string | undefined> {
  if (key === undefined || (await scene.api.parameters.isOwnKey(scene.account, key))) return undefined;
  return key;
}

/**
 * Checks values against a regular expression, which is run over all ways to match at once: nobody stops the server with one.
 * @throws InvalidAllowedPatternException for what is none, or has groups; ParameterPatternMismatchException
 */
function checkPattern(pattern: string | undefined, values: readonly string[]): void {
  if (pattern === undefined || pattern === '') return;
  let matches;
  try {
    ({ matches } = parsePattern(`%${pattern}%`));
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    throw new AwsError('InvalidAllowedPatternException', `The AllowedPattern cannot be read: ${error.message}`);
  }
  if (!values.every(matches))
    throw new AwsError(
      'ParameterPatternMismatchException',
      `Parameter value, cannot be validated against allowedPattern: ${pattern}`,
    );
}
