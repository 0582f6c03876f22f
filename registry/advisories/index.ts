export { type Advisories, AdvisoriesUnusable, openAdvisories } from './database.ts';
export { type Match, matchPackages } from './match.ts';
export { type Advisory, normalEcosystem, parseOsv } from './osv.ts';
export type { Package } from './package.ts';
export {
  compareSeverity,
  type Score,
  scoreOf,
  severities,
  type Severity,
  severityOfScore,
  severityOfWord,
} from './severity.ts';
export {
  type Fetch,
  updateAdvisories,
  UpdateFailed,
  type UpdateOptions,
  type UpdateProgress,
  type UpdateResult,
} from './update.ts';
export { type CompareVersions, comparatorOf } from './versions/compare.ts';
export { bytesOf, readZip, type ZipEntry, ZipError } from './zip.ts';
