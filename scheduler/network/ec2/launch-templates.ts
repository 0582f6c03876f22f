import type { AccessList, AccessRequest } from '@slipway/auth/contract';
import { AwsError } from '@slipway/auth/contract';
import { passRole } from '@slipway/auth/identity';

import {
  type Draft,
  type LaunchTemplateRecord,
  type Network,
  type TemplateData,
  templateVersionNumber,
  type TemplateVersionRecord,
} from '../records/index.ts';

import { invalidCombination, invalidValue, missingParameter } from './errors.ts';
import { checkedData, requestData } from './launch-template-data.ts';
import { describeNoun, find, notFound, tagList, tagsFor } from './noun.ts';
import { type Ec2Operations, mayCreate, mayOn, operation, type Scene } from './operation.ts';
import {
  as,
  flag,
  type Of,
  refused,
  required,
  struct,
  tags,
  tagSpecifications,
  text,
  texts,
  time,
  number,
} from './shapes.ts';

export const templateShape = struct('LaunchTemplate', {
  LaunchTemplateId: text,
  LaunchTemplateName: text,
  CreateTime: time,
  CreatedBy: text,
  DefaultVersionNumber: number,
  LatestVersionNumber: number,
  Tags: tags,
});

export const operatorMember = refused(
  struct('OperatorRequest', { Principal: text }),
  'Templates are managed by whoever may change them, and by no service.',
);

/** The members that name a template. */
export const oneTemplate = { LaunchTemplateId: text, LaunchTemplateName: text } as const;

/** What names a template. */
export interface TemplateInput {
  readonly LaunchTemplateId?: string | undefined;
  readonly LaunchTemplateName?: string | undefined;
}

/** Access to the template that a request names. */
export const onTemplate = (action: string) =>
  mayOn<TemplateInput>(action, (input, network) => [['launch-template', peekTemplate(input, network)?.id]]);

const peekTemplate = (input: TemplateInput, network: Network): LaunchTemplateRecord | undefined =>
  input.LaunchTemplateId === undefined
    ? network.all('launch-template').find(({ name }) => name === input.LaunchTemplateName)
    : network.get('launch-template', input.LaunchTemplateId);

/** The template that a request names. @throws InvalidLaunchTemplateId.NotFound, InvalidLaunchTemplateName.NotFoundException */
export function templateOf(input: TemplateInput, network: Network): LaunchTemplateRecord {
  const { LaunchTemplateId: id, LaunchTemplateName: name } = input;
  if (id === undefined && name === undefined) throw missingParameter('LaunchTemplateId');
  if (id !== undefined && name !== undefined)
    throw invalidCombination('Name the launch template by LaunchTemplateId or by LaunchTemplateName, not by both.');
  const template = peekTemplate(input, network);
  if (template !== undefined) return template;
  if (id !== undefined) throw notFound('launch-template', id);
  throw new AwsError(
    'InvalidLaunchTemplateName.NotFoundException',
    `The specified launch template, with template name ${(name ?? '').slice(0, 200)}, does not exist.`,
  );
}

/** What whoever writes what machines are made from must be allowed besides: machines act with the role of their profile. */
export async function mayPass(data: object, { api, account }: Scene): Promise<readonly AccessRequest[]> {
  const profile = (data as TemplateData).IamInstanceProfile;
  const role = profile === undefined ? undefined : await api.profileRole(account, profile);
  return role === undefined ? [] : [passRole(role, 'ec2.amazonaws.com')];
}

/** Writes a version. */
export function putVersion(
  draft: Draft,
  template: LaunchTemplateRecord,
  given: { readonly number: number; readonly description: string | undefined; readonly data: TemplateData },
  scene: Scene,
): TemplateVersionRecord {
  const { number: of, description, data } = given;
  if ((description?.length ?? 0) > 255)
    throw invalidValue(description ?? '', 'VersionDescription', 'A description has at most 255 characters.');
  const version: TemplateVersionRecord = {
    templateId: template.id,
    number: of,
    createdAt: draft.now,
    createdBy: scene.call.principal.arn,
    ...(description === undefined || description === '' ? {} : { description }),
    data,
  };
  draft.putTemplateVersion(version);
  return version;
}

/** Launch templates: what machines of Auto Scaling groups are made from. */
export const launchTemplateOperations: Ec2Operations = {
  CreateLaunchTemplate: operation({
    input: struct('CreateLaunchTemplateRequest', {
      LaunchTemplateName: required(text),
      LaunchTemplateData: required(requestData),
      VersionDescription: text,
      ClientToken: text,
      TagSpecifications: tagSpecifications,
      Operator: operatorMember,
      DryRun: flag,
    }),
    output: struct('CreateLaunchTemplateResult', { LaunchTemplate: templateShape }),
    access: async (input, scene, network): Promise<AccessList> => [
      ...mayCreate<typeof input>('CreateLaunchTemplate', 'launch-template')(input, scene, network),
      ...(await mayPass(input.LaunchTemplateData, scene)),
    ],
    change: (input, scene, draft) => {
      const { LaunchTemplateName: name, ClientToken: token } = input;
      const id = draft.idFor('launch-template', 'CreateLaunchTemplate', token);
      const present = draft.get('launch-template', id);
      if (present !== undefined) return { LaunchTemplate: viewTemplate(present) };
      if (!/^[a-zA-Z0-9().\-/_]{3,128}$/.test(name))
        throw new AwsError(
          'InvalidLaunchTemplateName.MalformedException',
          'A launch template name must be between 3 and 128 characters, and may contain letters, numbers, and the following characters: - ( ) . / _.',
        );
      if (draft.all('launch-template').some((one) => one.name === name))
        throw new AwsError('InvalidLaunchTemplateName.AlreadyExistsException', 'Launch template name already in use.');
      const template: LaunchTemplateRecord = {
        id,
        name,
        createdAt: draft.now,
        createdBy: scene.call.principal.arn,
        defaultVersion: 1,
        latestVersion: 1,
        tags: tagsFor('launch-template', input.TagSpecifications),
      };
      const data = checkedData(input.LaunchTemplateData);
      putVersion(draft, template, { number: 1, description: input.VersionDescription, data }, scene);
      draft.put('launch-template', template);
      return { LaunchTemplate: viewTemplate(template) };
    },
  }),
  DescribeLaunchTemplates: describeNoun('launch-template', {
    action: 'DescribeLaunchTemplates',
    ids: 'LaunchTemplateIds',
    result: ['LaunchTemplates', 'launchTemplates'],
    shape: templateShape,
    further: { LaunchTemplateNames: as('LaunchTemplateName', texts), IncludeManagedResources: flag },
    narrow: (input, rows) => {
      const names = (input as { readonly LaunchTemplateNames?: readonly string[] }).LaunchTemplateNames ?? [];
      for (const name of names)
        if (!rows.some((row) => row.name === name))
          throw new AwsError(
            'InvalidLaunchTemplateName.NotFoundException',
            `At least one of the launch templates specified in the request does not exist: ${name.slice(0, 200)}.`,
          );
      return names.length === 0 ? rows : rows.filter(({ name }) => names.includes(name));
    },
    filters: () => ({
      'launch-template-name': ({ name }) => name,
      'create-time': ({ createdAt }) => new Date(createdAt).toISOString(),
    }),
    view: () => viewTemplate,
  }),
  ModifyLaunchTemplate: operation({
    input: struct('ModifyLaunchTemplateRequest', {
      ...oneTemplate,
      DefaultVersion: as('SetDefaultVersion', text),
      ClientToken: text,
      DryRun: flag,
    }),
    output: struct('ModifyLaunchTemplateResult', { LaunchTemplate: templateShape }),
    access: onTemplate('ModifyLaunchTemplate'),
    change: async (input, _scene, draft) => {
      const template = templateOf(input, draft);
      if (input.DefaultVersion === undefined) throw missingParameter('SetDefaultVersion');
      const wanted = versionNumber(template, input.DefaultVersion);
      if ((await draft.templateVersion(template.id, wanted)) === undefined)
        throw noVersion(template, input.DefaultVersion);
      const changed = { ...template, defaultVersion: wanted };
      draft.put('launch-template', changed);
      return { LaunchTemplate: viewTemplate(changed) };
    },
  }),
  DeleteLaunchTemplate: operation({
    input: struct('DeleteLaunchTemplateRequest', { ...oneTemplate, DryRun: flag }),
    output: struct('DeleteLaunchTemplateResult', { LaunchTemplate: templateShape }),
    access: onTemplate('DeleteLaunchTemplate'),
    change: async (input, _scene, draft) => {
      const template = templateOf(input, draft);
      for (const of of await draft.templateVersions(template.id)) draft.removeTemplateVersion(template.id, of);
      draft.remove('launch-template', find(draft, 'launch-template', template.id).id);
      return { LaunchTemplate: viewTemplate(template) };
    },
  }),
};

/** A version as requests name it: a number, `$Latest` or `$Default`. @throws InvalidLaunchTemplateId.VersionNotFound for anything else */
export function versionNumber(template: LaunchTemplateRecord, version: string): number {
  const of = templateVersionNumber(template, version);
  if (of === undefined) throw noVersion(template, version);
  return of;
}

export const noVersion = ({ id }: LaunchTemplateRecord, version: string): AwsError =>
  new AwsError(
    'InvalidLaunchTemplateId.VersionNotFound',
    `Could not find the specified version ${version.slice(0, 50)} for the launch template with ID ${id}.`,
  );

const viewTemplate = (template: LaunchTemplateRecord): Of<typeof templateShape> => ({
  LaunchTemplateId: template.id,
  LaunchTemplateName: template.name,
  CreateTime: new Date(template.createdAt),
  CreatedBy: template.createdBy,
  DefaultVersionNumber: template.defaultVersion,
  LatestVersionNumber: template.latestVersion,
  Tags: tagList(template.tags),
});
