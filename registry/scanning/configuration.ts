import { type Json, type RecordStore, transact } from '@slipway/storage/records';
import { registryPartition, type RepositoryRecord } from '../images/index.ts';
import { scanKeys } from './keys.ts';

export type ScanFrequency = 'MANUAL' | 'SCAN_ON_PUSH' | 'CONTINUOUS_SCAN';

export interface ScanFilter {
  readonly filter: string;
  readonly filterType: 'WILDCARD';
}

/** Of a registry, as `PutRegistryScanningConfiguration` sets it. */
export interface ScanningConfiguration {
  readonly scanType: 'BASIC' | 'ENHANCED';
  readonly rules: readonly {
    readonly scanFrequency: Exclude<ScanFrequency, 'MANUAL'> | 'MANUAL';
    readonly repositoryFilters: readonly ScanFilter[];
  }[];
}

export const noConfiguration: ScanningConfiguration = { scanType: 'BASIC', rules: [] };

export async function readConfiguration(records: RecordStore, account: string): Promise<ScanningConfiguration> {
  const stored = await records.get<ScanningConfiguration>(registryPartition(account), scanKeys.configuration);
  return stored?.value ?? noConfiguration;
}

export const writeConfiguration = (records: RecordStore, account: string, next: ScanningConfiguration): Promise<void> =>
  transact(records, registryPartition(account), async (tx) => {
    tx.put(scanKeys.configuration, next as unknown as Json);
  });

/** When a repository's images are scanned, and the filters that say so. */
export interface Frequency {
  readonly frequency: ScanFrequency;
  readonly filters: readonly ScanFilter[];
}

/**
 * What applies to a repository: `CONTINUOUS_SCAN` before `SCAN_ON_PUSH` (ECR user guide, "Filters"). With basic scanning the
 * repository's own setting counts as well; with enhanced scanning a repository that no rule means is not scanned.
 */
export function frequencyOf(
  configuration: ScanningConfiguration,
  repository: Pick<RepositoryRecord, 'name' | 'scanOnPush'>,
): Frequency {
  for (const frequency of ['CONTINUOUS_SCAN', 'SCAN_ON_PUSH'] as const) {
    const filters = configuration.rules
      .filter((rule) => rule.scanFrequency === frequency)
      .flatMap((rule) => rule.repositoryFilters)
      .filter((filter) => matchesFilter(filter.filter, repository.name));
    if (filters.length > 0) return { frequency, filters };
  }
  if (configuration.scanType === 'BASIC' && repository.scanOnPush) return { frequency: 'SCAN_ON_PUSH', filters: [] };
  return { frequency: 'MANUAL', filters: [] };
}

/** A filter without `*` means every name that contains it; with `*` it is the whole name's pattern. */
export function matchesFilter(filter: string, name: string): boolean {
  if (!filter.includes('*')) return name.includes(filter);
  const parts = filter.split('*');
  const [first = '', last = ''] = [parts[0], parts.at(-1)];
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= name.length - last.length;
}
