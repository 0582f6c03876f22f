import type { Digest } from '@slipway/storage/blobs';
import { type Json, type RecordStore, scan, transact } from '@slipway/storage/records';
import { LRUCache } from 'lru-cache';
import { compareSeverity, severities, type Severity } from '../advisories/index.ts';
import {
  type Images,
  isIndexType,
  keys,
  readManifest,
  registryPartition,
  type RepositoryRecord,
} from '../images/index.ts';
import { isImage, type ManifestContent } from './image-kind.ts';
import { scanKeys } from './keys.ts';
import type { ScanRecord } from './records.ts';

/** What may not be pulled, or rolled out: images with a finding this severe. */
export interface ScanRule {
  readonly severity: Severity;
  /** Also those whose scan ended without a verdict: without this, whoever makes an image that cannot be scanned passes the rule. */
  readonly unscannable?: boolean;
  /** Also those nobody has judged yet, and so those that cannot be. */
  readonly unscanned: boolean;
}

/** Rules of a whole registry; a repository's tags of the same meaning go before them. */
export interface ScanPolicy {
  readonly blockPulls?: ScanRule;
  readonly blockRollouts?: ScanRule;
}

/** Tags of a repository that set its own rules: `HIGH`, `CRITICAL`, `HIGH+unscanned`, or `none`. */
export const policyTags = { pulls: 'slipway:block-pulls', rollouts: 'slipway:block-rollouts' } as const;

/** Why an image is refused; for people to read. */
export interface Refusal {
  readonly reason: string;
}

/** What is about to leave the registry. */
export interface Pulled {
  readonly account: string;
  /** Its record, which the pull has read already. */
  readonly repository: RepositoryRecord;
  readonly digest: Digest;
  /** ARN of who pulls: the scanner itself must be able to read what it is to judge. Undefined where nobody does, as for copies. */
  readonly caller: string | undefined;
}

/** Asked on every way by which bytes of images leave: whichever API, copies to other registries included. */
export interface PullPolicy {
  /**
   * Whether a manifest may be pulled. Costs nothing where no rule is set, and one record read where one is.
   * @param content the manifest, where it is not in the repository yet
   */
  manifest(pulled: Pulled, content?: ManifestContent): Promise<Refusal | undefined>;
  /**
   * Whether a layer or config may be pulled: not when all images that need it are refused. One that belongs to none yet has not been
   * scanned.
   */
  blob(pulled: Pulled): Promise<Refusal | undefined>;
}

export interface PolicyCheck extends PullPolicy {
  /** Whether an image may be rolled out; asked before a service moves to it. For an index, every image in it counts. */
  rollout(account: string, repository: string, digest: string): Promise<Refusal | undefined>;
}

/**
 * A severity, alone or with `+unscannable` or `+unscanned`.
 * @returns undefined for a text that is no rule; `none` lifts the registry's rule for one repository
 */
export function parseScanRule(text: string): ScanRule | 'none' | undefined {
  if (text.trim().toLowerCase() === 'none') return 'none';
  const [, word = '', also] = /^\s*([A-Za-z]+)(?:\+(unscanned|unscannable))?\s*$/.exec(text) ?? [];
  const severity = severities.find((known) => known === word.toUpperCase() && known !== 'UNDEFINED');
  return (
    severity && { severity, unscanned: also === 'unscanned', ...(also === 'unscannable' ? { unscannable: true } : {}) }
  );
}

export const readPolicy = async (records: RecordStore, account: string): Promise<ScanPolicy> =>
  (await records.get<ScanPolicy>(registryPartition(account), scanKeys.policy))?.value ?? {};

export const writePolicy = (records: RecordStore, account: string, policy: ScanPolicy): Promise<void> =>
  transact(records, registryPartition(account), async (tx) => tx.put(scanKeys.policy, policy as unknown as Json));

/** Milliseconds that a registry's rules may be old on the pull path. */
const policyAge = 5000;

/** @param exempt callers whom no rule refuses: the scanner, where it pulls */
export function createPolicyCheck(images: Images, exempt: (caller: string) => boolean): PolicyCheck {
  const { records, clock } = images.ports;
  const cached = new LRUCache<string, { readonly policy: ScanPolicy; readonly at: number }>({ max: 1000 });

  const policyOf = async (account: string): Promise<ScanPolicy> => {
    const known = cached.get(account);
    if (known && clock.monotonic() - known.at < policyAge) return known.policy;
    const policy = await readPolicy(records, account);
    cached.set(account, { policy, at: clock.monotonic() });
    return policy;
  };

  const ruleOf = async (
    account: string,
    repository: RepositoryRecord,
    tag: string,
    rule: 'blockPulls' | 'blockRollouts',
  ): Promise<ScanRule | Refusal | undefined> => {
    const text = Object.hasOwn(repository.tags, tag) ? repository.tags[tag] : undefined;
    if (text === undefined) return (await policyOf(account))[rule];
    const own = parseScanRule(text);
    if (own === 'none') return undefined;
    // A rule that cannot be read was meant to protect: it must not open what it was to close.
    return (
      own ?? {
        reason: `The tag ${tag} of the repository '${repository.name}' is '${text}'; it must be a severity such as HIGH, HIGH+unscannable, HIGH+unscanned, or none.`,
      }
    );
  };

  const judge = async (
    account: string,
    repository: string,
    digest: Digest,
    rule: ScanRule,
  ): Promise<Refusal | undefined> => {
    const stored = await records.get<ScanRecord>(registryPartition(account), scanKeys.scan(repository, digest));
    return verdict(stored?.value, rule, `${repository}@${digest}`);
  };

  /** The rule that a pull is under; undefined when there is none. */
  const pullRule = async ({ account, repository, caller }: Pulled): Promise<ScanRule | Refusal | undefined> => {
    const rule = await ruleOf(account, repository, policyTags.pulls, 'blockPulls');
    return rule === undefined || (caller !== undefined && exempt(caller)) ? undefined : rule;
  };

  /** Only images are judged: an index, a signature or a bill of materials has no packages of its own. */
  const judgeImage = async (
    { account, repository }: Pulled,
    digest: Digest,
    rule: ScanRule,
    content?: ManifestContent,
  ): Promise<Refusal | undefined> => {
    const refusal = await judge(account, repository.name, digest, rule);
    return refusal && (await isImage(images, account, repository.name, digest, content)) ? refusal : undefined;
  };

  return {
    async manifest(pulled, content) {
      const rule = await pullRule(pulled);
      if (rule === undefined || 'reason' in rule) return rule;
      return judgeImage(pulled, pulled.digest, rule, content);
    },
    async blob(pulled) {
      const rule = await pullRule(pulled);
      if (rule === undefined || 'reason' in rule) return rule;
      let refusal: Refusal | undefined;
      for await (const digest of needing(images, pulled)) {
        refusal = await judgeImage(pulled, digest, rule);
        if (refusal === undefined) return undefined;
      }
      if (refusal) return { reason: `The layer ${pulled.digest} belongs to refused images only. ${refusal.reason}` };
      return verdict(undefined, rule, `that needs ${pulled.digest}`);
    },
    async rollout(account, name, reference) {
      const repository = await images.repositories.find(account, name);
      const found = repository && (await images.resolve(account, name, reference));
      if (repository === undefined || found === undefined) return undefined;
      const rule = await ruleOf(account, repository, policyTags.rollouts, 'blockRollouts');
      if (rule === undefined || 'reason' in rule) return rule;
      for (const digest of await imagesIn(images, account, name, found)) {
        const refusal = await judge(account, name, digest, rule);
        if (refusal) return refusal;
      }
      return undefined;
    },
  };
}

function verdict(scan: ScanRecord | undefined, rule: ScanRule, image: string): Refusal | undefined {
  if (scan?.counts === undefined) {
    const ended = scan?.status === 'FAILED' || scan?.status === 'UNSUPPORTED_IMAGE';
    if (!rule.unscanned && !(rule.unscannable === true && ended)) return undefined;
    const state = scan === undefined ? 'it has not been scanned' : `its scan is ${scan.status}: ${scan.description}`;
    return {
      reason: `The image ${image} is refused because ${state}, and the rule here refuses images that were not scanned.`,
    };
  }
  const worst = severities.findLast((severity) => (scan.counts?.[severity] ?? 0) > 0);
  if (worst === undefined || compareSeverity(worst, rule.severity) < 0) return undefined;
  const counts = severities
    .toReversed()
    .filter((severity) => compareSeverity(severity, rule.severity) >= 0 && (scan.counts?.[severity] ?? 0) > 0)
    .map((severity) => `${scan.counts?.[severity]} ${severity}`);
  return {
    reason: `The image ${image} is refused because its scan found ${counts.join(', ')}, and the rule here refuses ${rule.severity} and above. See DescribeImageScanFindings.`,
  };
}

/** Manifests of the repository that need a blob. */
async function* needing(images: Images, { account, repository, digest }: Pulled): AsyncGenerator<Digest> {
  const prefix = keys.referencesIn(digest, repository.name);
  for await (const { key } of scan(images.ports.records, registryPartition(account), { prefix, limit: 100 }))
    yield key.slice(prefix.length) as Digest;
}

/** The image itself, or those that an index and the indexes in it list and that are images. */
async function imagesIn(
  images: Images,
  account: string,
  repository: string,
  found: { readonly digest: Digest; readonly mediaType: string },
): Promise<readonly Digest[]> {
  if (!isIndexType(found.mediaType)) return [found.digest];
  const listed: Digest[] = [];
  const seen = new Set([found.digest]);
  const waiting = [found];
  for (let index = waiting.pop(); index !== undefined; index = waiting.pop()) {
    // An index from upstream may list what is not here; whoever pulls that is asked again.
    if ((await images.resolve(account, repository, index.digest)) === undefined) continue;
    const bytes = await images.manifests.content(account, repository, index.digest);
    for (const child of readManifest(bytes, index.mediaType).children) {
      if (seen.has(child.digest)) continue;
      seen.add(child.digest);
      if (isIndexType(child.mediaType)) waiting.push(child);
      else if (await isImage(images, account, repository, child.digest)) listed.push(child.digest);
    }
  }
  return listed;
}
