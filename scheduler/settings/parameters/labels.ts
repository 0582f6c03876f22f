import { AwsError } from '@slipway/auth/contract';

import { versionNotFound } from './errors.ts';
import { mayOn, operation, type ParametersOperations } from './operation.ts';
import type { ParameterRecord } from './records.ts';
import { byName, number, required, struct, texts } from './shapes.ts';
import { newest } from './store.ts';

const mostLabels = 10;

/** Labels of versions: each is on one version of a parameter at most. */
export const labelOperations: ParametersOperations = {
  LabelParameterVersion: operation({
    input: struct('LabelParameterVersionRequest', { ...byName, ParameterVersion: number, Labels: required(texts) }),
    output: struct('LabelParameterVersionResult', { InvalidLabels: texts, ParameterVersion: number }),
    access: mayOn('LabelParameterVersion', ({ Name }) => [Name]),
    handle: async ({ Name, ParameterVersion, Labels }, { api, account }) => {
      const invalid = Labels.filter((label) => !isLabel(label));
      const added = Labels.filter(isLabel);
      const labelled = await api.parameters.change(account, Name, (before) => labels(before, ParameterVersion, added));
      return { InvalidLabels: invalid, ParameterVersion: ParameterVersion ?? newest(labelled).version };
    },
  }),
  UnlabelParameterVersion: operation({
    input: struct('UnlabelParameterVersionRequest', {
      ...byName,
      ParameterVersion: required(number),
      Labels: required(texts),
    }),
    output: struct('UnlabelParameterVersionResult', { RemovedLabels: texts, InvalidLabels: texts }),
    access: mayOn('UnlabelParameterVersion', ({ Name }) => [Name]),
    handle: async ({ Name, ParameterVersion, Labels }, { api, account }) => {
      let removed: string[] = [];
      await api.parameters.change(account, Name, (before) => {
        const version = versionOf(before, ParameterVersion);
        removed = version.labels.filter((label) => Labels.includes(label));
        const kept = version.labels.filter((label) => !Labels.includes(label));
        return {
          ...before,
          versions: before.versions.map((one) => (one === version ? { ...one, labels: kept } : one)),
        };
      });
      return { RemovedLabels: removed, InvalidLabels: Labels.filter((label) => !removed.includes(label)) };
    },
  }),
};

/** What may be a label (Systems Manager user guide, "Working with parameter labels"). */
const isLabel = (label: string): boolean =>
  /^[a-zA-Z_.-][a-zA-Z0-9_.-]{0,99}$/.test(label) && !/^(?:aws|ssm)/i.test(label);

/** @throws ParameterVersionNotFound */
function versionOf(parameter: ParameterRecord, version: number) {
  const found = parameter.versions.find((one) => one.version === version);
  if (found === undefined) throw versionNotFound(parameter.name, version);
  return found;
}

/** A parameter with labels on a version, which take them from the others. @throws ParameterVersionLabelLimitExceeded */
function labels(before: ParameterRecord, asked: number | undefined, added: readonly string[]): ParameterRecord {
  const version = asked === undefined ? newest(before) : versionOf(before, asked);
  const all = [...new Set([...version.labels, ...added])];
  if (all.length > mostLabels)
    throw new AwsError(
      'ParameterVersionLabelLimitExceeded',
      `A version of a parameter has at most ${mostLabels} labels. Take one off, and try again.`,
    );
  return {
    ...before,
    versions: before.versions.map((one) =>
      one === version
        ? { ...one, labels: all }
        : { ...one, labels: one.labels.filter((label) => !added.includes(label)) },
    ),
  };
}
