import type { OwnedRows } from '@slipway/storage/records';
import { registries } from '../images/index.ts';

/** In the registry's partition, beside the images. */
export const scanKeys = {
  /** `PutRegistryScanningConfiguration`. */
  configuration: 'scanning-configuration',
  /** The rule of the whole registry, see `policy.ts`. */
  policy: 'scanning-policy',
  /** How far the newest continuous pass came. */
  pass: 'scanning-pass',
  scans: 'scan|',
  scansIn: (repository: string): string => `scan|${repository}|`,
  scan: (repository: string, digest: string): string => `scan|${repository}|${digest}`,
  findings: (repository: string, digest: string): string => `scan-findings|${repository}|${digest}|`,
  findingPart: (repository: string, digest: string, id: string, part: number): string =>
    `scan-findings|${repository}|${digest}|${id}|${String(part).padStart(6, '0')}`,
  packages: (repository: string, digest: string): string => `scan-packages|${repository}|${digest}|`,
  packagePart: (repository: string, digest: string, part: number): string =>
    `scan-packages|${repository}|${digest}|${String(part).padStart(6, '0')}`,
} as const;

export const scanRows: OwnedRows = {
  partition: registries,
  owner: 'registry/scanning',
  keys: [scanKeys.configuration, scanKeys.policy, scanKeys.pass, scanKeys.scans, 'scan-findings|', 'scan-packages|'],
};
