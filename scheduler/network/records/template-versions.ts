import type { LaunchTemplateRecord } from './records.ts';

/** The number that a version of a launch template has, as requests name it: a number, `$Latest` or `$Default`; undefined for anything else. */
export function templateVersionNumber(
  { latestVersion, defaultVersion }: Pick<LaunchTemplateRecord, 'latestVersion' | 'defaultVersion'>,
  version: string,
): number | undefined {
  if (version === '$Latest') return latestVersion;
  if (version === '$Default') return defaultVersion;
  return /^[1-9]\d{0,8}$/.test(version) ? Number(version) : undefined;
}
