import type { AccessList } from '@slipway/auth/contract';
import { AwsError } from '@slipway/auth/contract';
import { rowsOf } from '@slipway/auth/kit';

import type { LaunchTemplateRecord, Network, TemplateData, TemplateVersionRecord } from '../records/index.ts';

import { invalidCombination, invalidValue, missingParameter } from './errors.ts';
import { passing } from './filters.ts';
import { checkedData, requestData, responseData } from './launch-template-data.ts';
import {
  mayPass,
  noVersion,
  onTemplate,
  oneTemplate,
  putVersion,
  type TemplateInput,
  templateOf,
  versionNumber,
} from './launch-templates.ts';
import { type Ec2Operations, mayList, operation, type Scene } from './operation.ts';
import { as, filters, flag, list, number, type Of, refused, required, struct, text, texts, time } from './shapes.ts';

const versionShape = struct('LaunchTemplateVersion', {
  LaunchTemplateId: text,
  LaunchTemplateName: text,
  VersionNumber: number,
  VersionDescription: text,
  CreateTime: time,
  CreatedBy: text,
  DefaultVersion: flag,
  LaunchTemplateData: responseData,
});

const aliases = 'An ImageId is handed to the provider as it is written: leave it out.';
/** Of one template; EC2 has 10,000. */
const mostVersions = 1000;

/** Versions of launch templates, none of which ever changes. */
export const launchTemplateVersionOperations: Ec2Operations = {
  CreateLaunchTemplateVersion: operation({
    input: struct('CreateLaunchTemplateVersionRequest', {
      ...oneTemplate,
      LaunchTemplateData: required(requestData),
      SourceVersion: text,
      VersionDescription: text,
      ClientToken: text,
      ResolveAlias: refused(flag, aliases),
      DryRun: flag,
    }),
    output: struct('CreateLaunchTemplateVersionResult', { LaunchTemplateVersion: versionShape }),
    access: async (input, scene, network): Promise<AccessList> => [
      ...onTemplate('CreateLaunchTemplateVersion')(input, scene, network),
      ...(await mayPass(await mergedData(input, scene, network), scene)),
    ],
    change: async (input, scene, draft) => {
      const template = templateOf(input, draft);
      const numbers = await draft.templateVersions(template.id);
      if (numbers.length >= mostVersions)
        throw new AwsError(
          'VersionLimitExceeded',
          `A launch template has at most ${mostVersions} versions: delete some.`,
        );
      const source =
        input.SourceVersion === undefined
          ? undefined
          : await draft.templateVersion(template.id, versionNumber(template, input.SourceVersion));
      if (input.SourceVersion !== undefined && source === undefined) throw noVersion(template, input.SourceVersion);
      const data: TemplateData = { ...source?.data, ...checkedData(input.LaunchTemplateData) };
      const next = { ...template, latestVersion: template.latestVersion + 1 };
      const given = { number: next.latestVersion, description: input.VersionDescription, data };
      const version = putVersion(draft, template, given, scene);
      draft.put('launch-template', next);
      return { LaunchTemplateVersion: viewVersion(next, version) };
    },
  }),
  DescribeLaunchTemplateVersions: operation({
    input: struct('DescribeLaunchTemplateVersionsRequest', {
      ...oneTemplate,
      Versions: as('LaunchTemplateVersion', texts),
      MinVersion: text,
      MaxVersion: text,
      Filters: filters,
      MaxResults: number,
      NextToken: text,
      ResolveAlias: refused(flag, aliases),
      IncludeManagedResources: flag,
      DryRun: flag,
    }),
    output: struct('DescribeLaunchTemplateVersionsResult', {
      LaunchTemplateVersions: as('launchTemplateVersionSet', list(versionShape)),
      NextToken: text,
    }),
    access: mayList('DescribeLaunchTemplateVersions'),
    read: async (input, scene, network) => {
      const { Versions: asked = [], Filters: given } = input;
      const all = await askedVersions(input, asked, scene, network);
      const passes = passing<TemplateVersionRecord>(given, {
        'create-time': ({ createdAt }) => new Date(createdAt).toISOString(),
        'image-id': ({ data }) => data.ImageId,
        'instance-type': ({ data }) => data.InstanceType,
        'is-default-version': (version) =>
          network.get('launch-template', version.templateId)?.defaultVersion === version.number,
      });
      const name = ['DescribeLaunchTemplateVersions', input.LaunchTemplateId, input.LaunchTemplateName, asked, given];
      const request = { maxResults: input.MaxResults, nextToken: input.NextToken };
      const { api, account } = scene;
      const after = await api.pages.start(account, name, request);
      const key = ({ templateId, number: of }: TemplateVersionRecord): string =>
        `${templateId}/${String(1_000_000_000 - of).padStart(10, '0')}`;
      const { items, nextToken } = await api.pages.page(
        account,
        name,
        request,
        rowsOf(
          all.toSorted((a, b) => (key(a) < key(b) ? -1 : 1)),
          key,
          after,
        ),
        (version) => {
          const template = network.get('launch-template', version.templateId);
          return template !== undefined && passes(version) ? viewVersion(template, version) : undefined;
        },
        { usual: 200, most: 200 },
      );
      return { LaunchTemplateVersions: items, ...(nextToken === undefined ? {} : { NextToken: nextToken }) };
    },
  }),
  DeleteLaunchTemplateVersions: operation({
    input: struct('DeleteLaunchTemplateVersionsRequest', {
      ...oneTemplate,
      Versions: required(as('LaunchTemplateVersion', texts)),
      DryRun: flag,
    }),
    output: struct('DeleteLaunchTemplateVersionsResult', {
      SuccessfullyDeletedLaunchTemplateVersions: as(
        'successfullyDeletedLaunchTemplateVersionSet',
        list(
          struct('DeleteLaunchTemplateVersionsResponseSuccessItem', {
            LaunchTemplateId: text,
            LaunchTemplateName: text,
            VersionNumber: number,
          }),
        ),
      ),
    }),
    access: onTemplate('DeleteLaunchTemplateVersions'),
    change: async (input, _scene, draft) => {
      const template = templateOf(input, draft);
      if (input.Versions.length === 0) throw missingParameter('LaunchTemplateVersion');
      if (input.Versions.length > 200)
        throw invalidValue(input.Versions.length, 'LaunchTemplateVersion', 'A request names at most 200 versions.');
      const numbers = [...new Set(input.Versions)].map(
        (version) => [version, versionNumber(template, version)] as const,
      );
      for (const [version, of] of numbers) {
        if (of === template.defaultVersion)
          throw invalidCombination(
            `Version ${of} is the default version of ${template.id}: name another with ModifyLaunchTemplate first.`,
          );
        if ((await draft.templateVersion(template.id, of)) === undefined) throw noVersion(template, version);
        draft.removeTemplateVersion(template.id, of);
      }
      return {
        SuccessfullyDeletedLaunchTemplateVersions: numbers.map(([, of]) => ({
          LaunchTemplateId: template.id,
          LaunchTemplateName: template.name,
          VersionNumber: of,
        })),
      };
    },
  }),
};

/** What a new version will say, as far as it is known before the change: for what it takes to write that. */
async function mergedData(
  input: TemplateInput & { readonly SourceVersion?: string | undefined; readonly LaunchTemplateData: object },
  { api, account }: Scene,
  network: Network,
): Promise<object> {
  if (input.SourceVersion === undefined) return input.LaunchTemplateData;
  const template = templateOf(input, network);
  const source = await api.networks.templateVersion(account, template.id, versionNumber(template, input.SourceVersion));
  return { ...source?.data, ...input.LaunchTemplateData };
}

/** Those that a request means: of one template, or, with `$Latest` and `$Default` alone, of all. */
async function askedVersions(
  input: TemplateInput & { readonly MinVersion?: string | undefined; readonly MaxVersion?: string | undefined },
  asked: readonly string[],
  { api, account }: Scene,
  network: Network,
): Promise<readonly TemplateVersionRecord[]> {
  if (input.LaunchTemplateId === undefined && input.LaunchTemplateName === undefined) {
    if (asked.length === 0 || asked.some((version) => version !== '$Latest' && version !== '$Default'))
      throw missingParameter('LaunchTemplateId');
    const pairs = network.all('launch-template').flatMap((template) => {
      const numbers = new Set(asked.map((version) => versionNumber(template, version)));
      return [...numbers].map((of) => [template.id, of] as const);
    });
    const found = await Promise.all(pairs.map(([id, of]) => api.networks.templateVersion(account, id, of)));
    return found.filter((version) => version !== undefined);
  }
  const template = templateOf(input, network);
  if (asked.length === 0) {
    const from = input.MinVersion === undefined ? 1 : versionNumber(template, input.MinVersion);
    const to = input.MaxVersion === undefined ? Infinity : versionNumber(template, input.MaxVersion);
    const all = await api.networks.templateVersions(account, template.id);
    return all.filter(({ number: of }) => of >= from && of <= to);
  }
  const found: TemplateVersionRecord[] = [];
  for (const version of new Set(asked)) {
    const one = await api.networks.templateVersion(account, template.id, versionNumber(template, version));
    if (one === undefined) throw noVersion(template, version);
    if (!found.some(({ number: of }) => of === one.number)) found.push(one);
  }
  return found;
}

const viewVersion = (template: LaunchTemplateRecord, version: TemplateVersionRecord): Of<typeof versionShape> => ({
  LaunchTemplateId: template.id,
  LaunchTemplateName: template.name,
  VersionNumber: version.number,
  ...(version.description === undefined ? {} : { VersionDescription: version.description }),
  CreateTime: new Date(version.createdAt),
  CreatedBy: version.createdBy,
  DefaultVersion: template.defaultVersion === version.number,
  LaunchTemplateData: version.data,
});
