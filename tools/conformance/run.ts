import { checkBlobs } from './blob-group.ts';
import { RegistryClient } from './client.ts';
import { checkDataSet } from './data-group.ts';
import { dataSets, tagParameterSets } from './data-sets.ts';
import { algorithms } from './digest.ts';
import { checkFurther } from './further/further.ts';
import type { Credentials } from './login.ts';
import { checkEmpty, checkMalformedDigest, checkMissingManifest, checkPing } from './other-groups.ts';
import { type ConformanceReport, reportOf } from './report.ts';
import { Result } from './results.ts';
import { type Settings, Suite } from './suite.ts';

export interface ConformanceOptions {
  /** Where the registry answers, e.g. `https://registry.example:5000`; what follows the host is not looked at. */
  readonly registry: string | URL;
  /** `stable` is 1.1; `dev` is what the specification's main branch adds. Default `stable`. */
  readonly version?: Settings['version'];
  /** Two repositories that nobody else uses; they are written to, and emptied as far as the registry deletes. */
  readonly repositories?: Settings['repositories'];
  /** Without these, anonymously. */
  readonly credentials?: Credentials;
  /** Whether uploads can be cancelled; 1.1 does not ask for it. Default: in `dev`. */
  readonly uploadCancel?: boolean;
  /** Run these groups alone, e.g. `image`; see `groupNames`. */
  readonly groups?: readonly string[];
  /** Milliseconds that an answer may take. Default 60,000; when three times this was waited in vain, nothing more is sent. */
  readonly timeout?: number;
  /** Called when a case is done. */
  readonly onCase?: (result: Result) => void;
}

/** A group's cases, below a node that is the group's own or, for a lone case, the whole run's. */
type Group = (suite: Suite, root: Result, name: string) => Promise<unknown>;

const below =
  (checks: (suite: Suite, group: Result) => Promise<unknown>): Group =>
  (suite, root, name) =>
    checks(suite, root.child(name));

function groupsOf(version: Settings['version']): ReadonlyMap<string, Group> {
  const content = { ...dataSets, ...(version === 'dev' ? tagParameterSets : {}) };
  return new Map<string, Group>([
    ['ping', checkPing],
    ['empty', below(checkEmpty)],
    ...algorithms.map((algorithm): [string, Group] => [
      `${algorithm} blobs`,
      below((suite, group) => checkBlobs(suite, group, algorithm)),
    ]),
    ...Object.entries(content).map(([name, make]): [string, Group] => [
      name,
      below((suite, group) => checkDataSet(suite, group, make())),
    ]),
    ['missing-manifest', below(checkMissingManifest)],
    ['invalid-digest-format', below(checkMalformedDigest)],
    ['further', below(checkFurther)],
  ]);
}

/** The names of all groups of a version, in the order of a run. */
export const groupNames = (version: Settings['version']): readonly string[] => [...groupsOf(version).keys()];

/**
 * Asks a registry everything that the OCI Distribution Specification demands of one, over HTTP, as a client of it. What a
 * registry may leave out and does is skipped, not failed. A registry that does not answer fails the checks that asked it.
 * @throws RangeError for a group that there is not
 */
export async function runConformance(options: ConformanceOptions): Promise<ConformanceReport> {
  const { version = 'stable', repositories = ['conformance/one', 'conformance/two'], onCase } = options;
  const { uploadCancel = version === 'dev' } = options;
  const all = groupsOf(version);
  const chosen = options.groups ?? [...all.keys()];
  const unknown = chosen.find((name) => !all.has(name));
  if (unknown !== undefined)
    throw new RangeError(`there is no group '${unknown}'; there are: ${[...all.keys()].join(', ')}`);
  const client = new RegistryClient(new URL('/', options.registry), options.credentials, options.timeout ?? 60_000);
  const suite = new Suite(client, { version, repositories, uploadCancel }, onCase);
  const root = new Result('');
  const began = performance.now();
  try {
    for (const [name, group] of all) if (chosen.includes(name)) await group(suite, root, name);
  } finally {
    client.close();
  }
  return reportOf(root, suite, performance.now() - began);
}
