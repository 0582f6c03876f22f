import { GatewayError, type Log } from '@slipway/auth/contract';
import type { Outbound } from '@slipway/auth/outbound';
import type { Digest } from '@slipway/storage/blobs';
import { LRUCache } from 'lru-cache';
import {
  type FoundManifest,
  type Images,
  isMovable,
  parseManifest,
  type Reference,
  type ReferrerRecord,
  registryPartition,
  type RepositoryName,
  type RepositoryRecord,
} from '../images/index.ts';
import { createRemote, type Remote, RemoteError, type RemoteManifest } from '../remote/index.ts';
import type { Templates } from '../templates/index.ts';
import { type Asked, isUpstreams, note, refusalOf } from './failures.ts';
import { Flights } from './flights.ts';
import { addressOf, type UpstreamHosts } from './hosts.ts';
import { Importer } from './importer.ts';
import { upstreamKeys } from './keys.ts';
import { type CacheRule, type CacheRules, createCacheRules, secretNames } from './rules.ts';
import type { IncomingBlob } from './transfer.ts';
import { type Source, Transfers } from './transfers.ts';

/** Credentials for an upstream registry, with the members that ECR wants of the secret it reads. */
export interface UpstreamSecret {
  readonly username: string;
  readonly accessToken: string;
}

export interface UpstreamOptions {
  readonly images: Images;
  readonly templates: Templates;
  /** The guarded client's; it must be open to the networks of declared hosts. */
  readonly fetch: Outbound['stream'];
  readonly hosts?: UpstreamHosts;
  /** By secret name, `ecr-pullthroughcache/…`: Secrets Manager is not asked. */
  readonly secrets?: Readonly<Record<string, UpstreamSecret>>;
  /** Milliseconds for which a tag is served without asking upstream again. Default 24 hours, as ECR. */
  readonly freshFor?: number;
  /** Manifests that one import may take: an upstream could list indexes of indexes without end. Default 5000. */
  readonly mostParts?: number;
  readonly log: Log;
  /** Where bytes that are not stored yet are kept: a folder of this process' machine, on the disk of the blobs or another. */
  readonly folder: string;
}

/** What a caller asks for, and what it may have. */
export interface UpstreamCall {
  readonly account: string;
  readonly name: RepositoryName;
  readonly repository: RepositoryRecord | undefined;
  /** ARN of who pulls. */
  readonly actor: string;
  /** Of the pull, for log lines. */
  readonly requestId: string;
  /** Whether the caller may have images imported (`ecr:BatchImportUpstreamImage`, and `ecr:CreateRepository` when it is new). */
  readonly mayImport: () => Promise<boolean>;
  /** Whether the caller may read what upstreams answer (`ecr:DescribePullThroughCacheRules`). */
  readonly mayKnow: () => Promise<boolean>;
}

/** A pull that upstream may have the answer to. */
export interface UpstreamPull extends UpstreamCall {
  readonly reference: Reference;
  readonly manifest: FoundManifest | undefined;
}

export interface Upstreams {
  readonly rules: CacheRules;
  readonly hosts: UpstreamHosts;
  /**
   * What upstream has, when it has to be asked: nothing is here yet, or a tag has not been looked at for long. The image is then
   * imported whole, whether or not the caller waits for it. Undefined: what is here is the answer.
   * @throws GatewayError when upstream refuses it, or when nothing is here and upstream cannot be asked
   */
  manifest(pull: UpstreamPull): Promise<RemoteManifest | undefined>;
  /**
   * A blob of a repository that a rule is for, as it comes. Undefined: there is no such rule or no such blob, or it is here by now.
   * @throws GatewayError when upstream refuses it or cannot be asked
   */
  blob(call: UpstreamCall, digest: Digest): Promise<IncomingBlob | undefined>;
  /** What refers to a manifest upstream; nothing when there is no rule, the caller may not import, or upstream cannot be asked. */
  referrers(call: UpstreamCall, subject: Digest): Promise<readonly ReferrerRecord[]>;
  /** Whether the secret that an ARN names is configured. */
  hasSecret(arn: string): boolean;
  /** Asks the registry of a rule whether it answers us. @throws RemoteError */
  validate(rule: CacheRule): Promise<void>;
  /** Waits for imports that are under way. */
  settled(): Promise<void>;
}

const textOf = (reference: Reference): string => (reference.kind === 'tag' ? reference.tag : reference.digest);
/** How long what refers to a manifest is not asked for again. Milliseconds. */
const referrersFor = 60_000;

export function createUpstreams(options: UpstreamOptions): Upstreams {
  const { images, templates, log } = options;
  const { records, clock, meter } = images.ports;
  const hosts = options.hosts ?? {};
  const rules = createCacheRules(images);
  const flights = new Flights();
  const transfers = new Transfers(images, options.folder);
  /** Those whose failure is noted, once however many share them. */
  const watched = new WeakSet<IncomingBlob>();
  const pending = new Set<Promise<void>>();
  const importer = new Importer(images, transfers, options.mostParts ?? 5000);
  const remotes = new Map<string, Remote>();
  const knownReferrers = new LRUCache<string, readonly ReferrerRecord[]>({ max: 1000, ttl: referrersFor });

  const secretOf = (arn: string | undefined): UpstreamSecret | undefined => {
    const names = arn === undefined ? [] : secretNames(arn);
    const name = names.find((one) => Object.hasOwn(options.secrets ?? {}, one));
    return name === undefined ? undefined : options.secrets?.[name];
  };

  const remoteOf = (rule: CacheRule): Remote => {
    const identity = `${rule.upstreamUrl} ${rule.credentialArn ?? ''}`;
    const known = remotes.get(identity);
    if (known) return known;
    const secret = secretOf(rule.credentialArn);
    const made = createRemote({
      url: addressOf(rule.upstreamUrl, hosts),
      fetch: options.fetch,
      ...(secret
        ? { credentials: () => Promise.resolve({ username: secret.username, password: secret.accessToken }) }
        : {}),
    });
    remotes.set(identity, made);
    return made;
  };

  const sourceOf = async (account: string, name: string): Promise<Source | undefined> => {
    const match = await rules.match(account, name);
    return match && { host: match.rule.upstreamUrl, remote: remoteOf(match.rule), repository: match.repository };
  };

  const noteChecked = async (account: string, name: string, tag: string): Promise<void> => {
    await records.commit(registryPartition(account), {
      put: [{ key: upstreamKeys.checked(name, tag), value: clock.now() }],
    });
  };

  /** Whether what is here needs no look upstream. */
  const isCurrent = async ({ account, name, reference, repository, manifest }: UpstreamPull): Promise<boolean> => {
    if (manifest === undefined || repository === undefined) return false;
    if (reference.kind === 'digest' || manifest.archived || !isMovable(repository, reference.tag)) return true;
    const checked = await records.get<number>(registryPartition(account), upstreamKeys.checked(name, reference.tag));
    return checked !== undefined && clock.now() - checked.value < (options.freshFor ?? 86_400_000);
  };

  const failed =
    (source: Source, asked: Asked, what: string) =>
    async (error: unknown): Promise<never> => {
      if (!isUpstreams(error)) throw error;
      note({ log, meter }, source, asked, error, what);
      throw await refusalOf(error, asked);
    };

  /** Work that nobody waits for. */
  const beside = (work: Promise<void>, source: Source, asked: Asked, what: string): void => {
    const noted = work.catch((error: unknown) => {
      if (isUpstreams(error)) note({ log, meter }, source, asked, error, what);
      else
        log.error({ requestId: asked.requestId, repository: asked.name, reference: asked.reference, err: error }, what);
    });
    pending.add(noted);
    void noted.then(() => pending.delete(noted));
  };

  const ask = async (source: Source, pull: UpstreamPull, asked: Asked): Promise<RemoteManifest | undefined> => {
    const { account, name, reference, manifest: present } = pull;
    const to = { source, account, name };
    if (reference.kind === 'digest') {
      const known = importer.recent(account, name, reference.digest);
      if (known) return known;
    } else if (present) {
      const digest = await source.remote.digestOf(source.repository, reference.tag);
      if (digest === present.digest || digest === undefined) {
        await noteChecked(account, name, reference.tag);
        beside(importer.complete(to, present), source, asked, 'an image could not be completed from upstream');
        return undefined;
      }
    }
    const manifest = await source.remote.manifest(source.repository, textOf(reference));
    parseManifest(manifest.bytes, manifest.mediaType);
    await templates.ensure(account, name, 'PULL_THROUGH_CACHE', pull.actor);
    importer.remember(account, name, manifest);
    const imported = async (): Promise<void> => {
      await importer.image(to, manifest, reference.kind === 'tag' ? reference.tag : undefined);
      if (reference.kind === 'tag') await noteChecked(account, name, reference.tag);
    };
    beside(imported(), source, asked, 'an image could not be imported from upstream');
    return manifest;
  };

  return {
    rules,
    hosts,
    async manifest(pull) {
      const { account, name, reference } = pull;
      const source = await sourceOf(account, name);
      if (source === undefined || (await isCurrent(pull))) return undefined;
      if (!(await pull.mayImport())) {
        if (pull.manifest) return undefined;
        throw new GatewayError(
          'denied',
          `${name} is not here yet, and you are not allowed to import it (ecr:BatchImportUpstreamImage, ecr:CreateRepository)`,
        );
      }
      const asked = { ...pull, reference: textOf(reference) };
      try {
        return await flights.share(`manifest ${account} ${name} ${asked.reference}`, () => ask(source, pull, asked));
      } catch (error) {
        if (pull.manifest === undefined || !isUpstreams(error) || isRefusal(error))
          return failed(source, asked, 'an image could not be had from upstream')(error);
        note({ log, meter }, source, asked, error, 'upstream cannot be asked: serving what is here');
        return undefined;
      }
    },
    async blob(call, digest) {
      const { account, name } = call;
      const source = await sourceOf(account, name);
      if (source === undefined || !(await call.mayImport())) return undefined;
      if ((await images.blobs.look(account, name, digest)).blob) return undefined;
      const asked = { ...call, reference: digest };
      const what = 'a blob could not be had from upstream';
      try {
        const incoming = await transfers.bring(source, account, name, digest);
        if (!watched.has(incoming)) beside(incoming.stored, source, asked, what);
        watched.add(incoming);
        return incoming;
      } catch (error) {
        if (!(error instanceof RemoteError && error.code === 'not-found')) return failed(source, asked, what)(error);
        note({ log, meter }, source, asked, error, what);
        return undefined;
      }
    },
    async referrers(call, subject) {
      const { account, name } = call;
      const source = await sourceOf(account, name);
      if (source === undefined || !(await call.mayImport())) return [];
      const key = `${account} ${name} ${subject}`;
      const known = knownReferrers.get(key);
      if (known) return known;
      const asked = { ...call, reference: subject };
      const what = 'what refers to an image could not be had from upstream';
      try {
        const found = await flights.share(`referrers ${key}`, () =>
          source.remote.referrers(source.repository, subject),
        );
        knownReferrers.set(key, found);
        return found;
      } catch (error) {
        if (!isUpstreams(error) || isRefusal(error)) return failed(source, asked, what)(error);
        note({ log, meter }, source, asked, error, `${what}: showing what is here`);
        return [];
      }
    },
    hasSecret: (arn) => secretOf(arn) !== undefined,
    async validate(rule) {
      // No name that exists is known: that the registry says so, having let us in, is the proof.
      const name = rule.upstreamPrefix === undefined || rule.upstreamPrefix === 'ROOT' ? '' : `${rule.upstreamPrefix}/`;
      await remoteOf(rule)
        .digestOf(`${name}slipway-validation`, 'none')
        .catch((error: unknown) => {
          // Registries hide what is not there behind a refusal; a refusal of the login itself comes from the token service.
          if (error instanceof RemoteError && error.status === 401 && rule.credentialArn === undefined) return;
          throw error;
        });
    },
    async settled() {
      await flights.settled();
      while (pending.size > 0) await Promise.all(pending);
      await transfers.settled();
    },
  };
}

/** Upstream is there and does not give it: what was had before is not given in its place. */
const isRefusal = (error: unknown): boolean =>
  error instanceof RemoteError && (error.code === 'denied' || error.code === 'refused');
