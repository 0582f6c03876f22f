import { type AccessList, type AccessRequest, AwsError } from '@slipway/auth/contract';

import { allow } from '../secrets/index.ts';

import { notFound, validation, versionNotFound } from './errors.ts';
import { checkFilters, fits } from './filters.ts';
import { accessTo, described, mayOn, operation, type ParametersOperations, type Scene, valueOf } from './operation.ts';
import { publicParameter } from './public-parameters.ts';
import { parameterKeys } from './records.ts';
import {
  byName,
  filters,
  flag,
  list,
  page,
  parameter,
  required,
  secret,
  struct,
  text,
  texts,
  versionMembers,
} from './shapes.ts';
import { type Chosen, newest } from './store.ts';

/** Names under which secrets are read (Systems Manager user guide, "Referencing AWS Secrets Manager secrets"). */
const secretsBelow = '/aws/reference/secretsmanager/';
const decryption = { WithDecryption: flag } as const;

/** Values of parameters: by name, several at once, below a path, and with those before. */
export const readOperations: ParametersOperations = {
  GetParameter: operation({
    input: struct('GetParameterRequest', { ...byName, ...decryption }),
    output: struct('GetParameterResult', { Parameter: parameter }),
    access: (input, scene) => mayRead(scene, 'GetParameter', [input.Name]),
    handle: async ({ Name, WithDecryption }, scene) => ({ Parameter: await read(scene, Name, WithDecryption) }),
  }),
  GetParameters: operation({
    input: struct('GetParametersRequest', { Names: required(texts), ...decryption }),
    output: struct('GetParametersResult', { Parameters: list(parameter), InvalidParameters: texts }),
    access: (input, scene) => mayRead(scene, 'GetParameters', input.Names),
    handle: async ({ Names, WithDecryption }, scene) => {
      const found: Awaited<ReturnType<typeof read>>[] = [];
      const invalid: string[] = [];
      for (const name of new Set(Names)) {
        try {
          found.push(await read(scene, name, WithDecryption));
        } catch (error) {
          if (!(error instanceof AwsError) || !/^Parameter(?:Version)?NotFound$/.test(error.code)) throw error;
          invalid.push(name);
        }
      }
      return { Parameters: found, InvalidParameters: invalid };
    },
  }),
  GetParametersByPath: operation({
    input: struct('GetParametersByPathRequest', {
      Path: required(text),
      Recursive: flag,
      ParameterFilters: filters,
      ...decryption,
      ...page,
    }),
    output: struct('GetParametersByPathResult', { Parameters: list(parameter), NextToken: text }),
    access: mayOn(
      'GetParametersByPath',
      ({ Path }) => [Path],
      ({ Recursive = false }) => ({ 'ssm:Recursive': String(Recursive) }),
    ),
    handle: async (input, scene) => {
      const { api, account } = scene;
      const { Path: path, Recursive: recursive = false, ParameterFilters: given = [], WithDecryption } = input;
      if (!path.startsWith('/'))
        throw validation(
          'The parameter doesn\'t meet the parameter name requirements. The parameter name must begin with a forward slash "/". It can\'t be prefixed with "aws" or "ssm" (case-insensitive).',
        );
      checkFilters(given, ['Type', 'KeyId', 'Label', 'Tier', 'DataType']);
      const name = ['GetParametersByPath', path, recursive, given];
      const request = { maxResults: input.MaxResults, nextToken: input.NextToken };
      const rows = api.parameters.list(account, { path, after: await api.pages.start(account, name, request) });
      const below = parameterKeys.below(path).length;
      const { items, nextToken } = await api.pages.page(
        account,
        name,
        request,
        rows,
        (found, key) => ((recursive || !key.slice(below).includes('/')) && fits(found, given) ? found : undefined),
        { usual: 10, most: 10 },
      );
      const label = given.find(({ Key }) => Key === 'Label')?.Values ?? [];
      const values = await Promise.all(
        items.map(async (found) => {
          const version = found.versions.findLast(({ labels }) => label.some((one) => labels.includes(one)));
          return shown(scene, { parameter: found, version: version ?? newest(found) }, WithDecryption);
        }),
      );
      return { Parameters: values, ...(nextToken === undefined ? {} : { NextToken: nextToken }) };
    },
  }),
  GetParameterHistory: operation({
    input: struct('GetParameterHistoryRequest', { ...byName, ...decryption, ...page }),
    output: struct('GetParameterHistoryResult', {
      Parameters: list(struct('ParameterHistory', { ...versionMembers, Value: secret(text), Labels: texts })),
      NextToken: text,
    }),
    access: mayOn('GetParameterHistory', ({ Name }) => [Name]),
    handle: async (input, scene) => {
      const { api, account } = scene;
      const found = await api.parameters.find(account, input.Name);
      if (found === undefined) throw notFound(input.Name);
      const name = ['GetParameterHistory', found.name];
      const request = { maxResults: input.MaxResults, nextToken: input.NextToken };
      const after = Number((await api.pages.start(account, name, request)) ?? 0);
      const rows = found.versions
        .filter(({ version }) => version > after)
        .map((value) => ({ key: String(value.version), value }));
      const { items, nextToken } = await api.pages.page(account, name, request, rows, (version) => version);
      const history = await Promise.all(
        items.map(async (version) => ({
          ...described(found.name, version),
          Value: await valueOf(scene, found, version, input.WithDecryption),
          ...(version.labels.length === 0 ? {} : { Labels: version.labels }),
        })),
      );
      return { Parameters: history, ...(nextToken === undefined ? {} : { NextToken: nextToken }) };
    },
  }),
};

/** Reading a secret under the name that it has here takes the right to read the secret as well. */
async function mayRead(scene: Scene, action: string, names: readonly string[]): Promise<AccessList> {
  const secrets: AccessRequest[] = [];
  for (const name of names) {
    const id = secretOf(name);
    if (id === undefined) continue;
    const { api, account } = scene;
    const access = await api.secrets.readAccess(account, id, choiceOf(id, name));
    secrets.push(...access);
  }
  return [await accessTo(scene, action, names), ...secrets];
}

async function read(scene: Scene, name: string, decrypted: boolean | undefined) {
  const published = publicParameter(name);
  if (published !== undefined) return showPublic(scene, name, published);
  const id = secretOf(name);
  return id === undefined
    ? shown(scene, await scene.api.parameters.choose(scene.account, name), decrypted)
    : readSecret(scene, name, id, decrypted);
}

async function shown(scene: Scene, { parameter: found, version, selector }: Chosen, decrypted: boolean | undefined) {
  return {
    Name: found.name,
    Type: version.type,
    Value: await valueOf(scene, found, version, decrypted),
    Version: version.version,
    ...(selector === undefined ? {} : { Selector: selector }),
    LastModifiedDate: new Date(version.modifiedAt),
    ARN: scene.api.parameters.arn(scene.account, found.name),
    DataType: 'text',
  };
}

/** One that every account can read; on AWS it has no account in its ARN. */
const showPublic = ({ region }: Scene, name: string, value: string) => ({
  Name: name,
  Type: 'String',
  Value: value,
  Version: 1,
  LastModifiedDate: new Date(0),
  ARN: `arn:aws:ssm:${region}::parameter${name}`,
  DataType: 'text',
});

/** The name of the secret that a parameter's name stands for. */
function secretOf(name: string): string | undefined {
  if (!name.startsWith(secretsBelow)) return undefined;
  return name.slice(secretsBelow.length).split(':')[0];
}

/** A version's id is longer than any label that secrets have of AWS. */
function choiceOf(id: string, name: string) {
  const selector = name.slice(secretsBelow.length + id.length + 1);
  if (selector === '') return {};
  return /^[0-9A-Za-z-]{32,64}$/.test(selector) ? { versionId: selector } : { stage: selector };
}

async function readSecret(scene: Scene, name: string, id: string, decrypted: boolean | undefined) {
  const { api, account } = scene;
  if (decrypted !== true) throw validation('WithDecryption flag must be True for retrieving a Secret Manager secret.');
  const choice = choiceOf(id, name);
  const secret = await api.secrets.find(account, id);
  if (secret === undefined) throw notFound(name);
  let found;
  try {
    found = await api.secrets.value(account, secret, choice, (access) => allow(scene, access, true));
  } catch (error) {
    if (!(error instanceof AwsError) || error.code === 'AccessDeniedException') throw error;
    throw error.code === 'ResourceNotFoundException'
      ? versionNotFound(name, name.slice(secretsBelow.length))
      : validation(error.message);
  }
  const { value, version } = found;
  if (value.kind === 'binary') throw validation(`The secret ${id} is binary: read it with GetSecretValue.`);
  const selector = name.slice(secretsBelow.length + id.length);
  return {
    Name: `${secretsBelow}${secret.name}`,
    Type: 'SecureString',
    Value: value.text,
    Version: 0,
    ...(selector === '' ? {} : { Selector: selector }),
    SourceResult: JSON.stringify({
      arn: api.secrets.arn(account, secret),
      name: secret.name,
      versionId: version.id,
      versionStages: version.stages,
      createdDate: version.createdAt,
    }),
    LastModifiedDate: new Date(version.createdAt),
    ARN: api.parameters.arn(account, `${secretsBelow}${secret.name}`),
    DataType: 'text',
  };
}
