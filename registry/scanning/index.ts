export {
  type Frequency,
  frequencyOf,
  readConfiguration,
  type ScanningConfiguration,
  writeConfiguration,
} from './configuration.ts';
export { isImage } from './image-kind.ts';
export { defaultInventoryLimits, type InventoryLimits, Unscannable } from './inventory/limits.ts';
export { inventoryOf } from './inventory/take-inventory.ts';
export {
  createPolicyCheck,
  parseScanRule,
  type PolicyCheck,
  policyTags,
  type PullPolicy,
  readPolicy,
  type Refusal,
  type ScanPolicy,
  type ScanRule,
  writePolicy,
} from './policy.ts';
export { scanRows } from './keys.ts';
export type { ScanRecord } from './records.ts';
export { changeScan, completeScan, type ImageAddress, readFindings, readScan, readScans } from './scan-store.ts';
export { sbomType } from './sbom.ts';
export { createScanning, type Scanning, type ScanningOptions } from './scanning.ts';
export { type AdapterFetch, type AdapterMetadata, type AdapterOptions, adapterScanner } from './scanners/adapter.ts';
export { type CommandOptions, commandScanner } from './scanners/command.ts';
export { embeddedScanner } from './scanners/embedded.ts';
export { type Finding, type Scanner, ScannerFailed, type ScanReport, type ScanTarget } from './scanners/scanner.ts';
