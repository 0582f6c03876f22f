import { GatewayError, type Log } from '@slipway/auth/contract';
import type { Outbound } from '@slipway/auth/outbound';
import type { Digest } from '@slipway/storage/blobs';
import { LRUCache } from 'lru-cache';
import {
  type FoundManifest,
  type Images,
  ImagesError,
  inOwnMemory,
  isMovable,
  parseManifest,
  parseTag,
  type Reference,
  registryPartition,
  type RepositoryName,
  type RepositoryRecord,
} from '../images/index.ts';
import { createRemote, type Remote, RemoteError, type RemoteManifest } from '../remote/index.ts';
import type { Templates } from '../templates/index.ts';
import { Flights } from './flights.ts';
import { addressOf, type UpstreamHosts } from './hosts.ts';
import { type CacheRule, type CacheRules, createCacheRules, secretNames } from './rules.ts';

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
  /** By secret name, `ecr-pullthroughcache/…`: there is no Secrets Manager here. */
  readonly secrets?: Readonly<Record<string, UpstreamSecret>>;
  /** Milliseconds for which a tag is served without asking upstream again. Default 24 hours, as ECR. */
  readonly freshFor?: number;
  readonly log: Log;
}

/** A pull that upstream may have the answer to. */
export interface UpstreamPull {
  readonly account: string;
  readonly name: RepositoryName;
  readonly reference: Reference;
  readonly repository: RepositoryRecord | undefined;
  readonly manifest: FoundManifest | undefined;
  /** ARN of who pulls. */
  readonly actor: string;
  /** Of the pull, for log lines. */
  readonly requestId: string;
  /** Whether the caller may have images imported (`ecr:BatchImportUpstreamImage`, and `ecr:CreateRepository` when it is new). */
  readonly mayImport: () => Promise<boolean>;
}

export interface Upstreams {
  readonly rules: CacheRules;
  readonly hosts: UpstreamHosts;
  /**
   * What upstream has, when it has to be asked: nothing is here yet, or a tag has not been looked at for long. The image is then
   * imported whole, whether or not the caller waits for it. Undefined: what is here is the answer.
   * @throws GatewayError when nothing is here and upstream cannot be asked
   */
  manifest(pull: UpstreamPull): Promise<RemoteManifest | undefined>;
  /** Brings a blob of a repository that a rule is for. False: there is no such rule or no such blob. */
  blob(account: string, name: RepositoryName, digest: Digest, mayImport: () => Promise<boolean>): Promise<boolean>;
  /** Whether the secret that an ARN names is configured. */
  hasSecret(arn: string): boolean;
  /** Asks the registry of a rule whether it answers us. @throws RemoteError */
  validate(rule: CacheRule): Promise<void>;
  /** Waits for imports that are under way. */
  settled(): Promise<void>;
}

interface Source {
  readonly remote: Remote;
  readonly repository: string;
}

/** Who imports images, as events name it. */
const importer = 'ecr.pull-through-cache';
const checkedKey = (name: string, tag: string): string => `upstream-tag|${name}|${tag}`;

export function createUpstreams(options: UpstreamOptions): Upstreams {
  const { images, templates, log } = options;
  const { records, clock } = images.context;
  const hosts = options.hosts ?? {};
  const rules = createCacheRules(images);
  const flights = new Flights();
  const remotes = new Map<string, Remote>();
  // A client that asked for a tag asks for its digest next, before the import can be done.
  const recent = new LRUCache<string, RemoteManifest>({
    maxSize: 16 * 1024 * 1024,
    sizeCalculation: ({ bytes }) => bytes.length + 200,
    ttl: 60_000,
  });

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
    return match && { remote: remoteOf(match.rule), repository: match.repository };
  };

  const noteChecked = async (account: string, name: string, tag: string): Promise<void> => {
    await records.commit(registryPartition(account), { put: [{ key: checkedKey(name, tag), value: clock.now() }] });
  };

  /** Whether what is here needs no look upstream. */
  const isCurrent = async ({ account, name, reference, repository, manifest }: UpstreamPull): Promise<boolean> => {
    if (manifest === undefined || repository === undefined) return false;
    if (reference.kind === 'digest' || manifest.archived || !isMovable(repository, reference.tag)) return true;
    const checked = await records.get<number>(registryPartition(account), checkedKey(name, reference.tag));
    return checked !== undefined && clock.now() - checked.value < (options.freshFor ?? 86_400_000);
  };

  const blob = async (source: Source, account: string, name: RepositoryName, digest: Digest): Promise<void> => {
    if ((await images.blobs.look(account, name, digest)).blob) return;
    await flights.share(`blob ${account} ${name} ${digest}`, async () => {
      for (let attempt = 1; ; attempt++) {
        const { cut } = await images.uploads.whole(
          account,
          name,
          digest,
          await source.remote.blob(source.repository, digest),
        );
        if (cut === undefined) return;
        if (attempt === 3) throw new RemoteError('unavailable', `the blob ${digest} breaks off`, { cause: cut });
      }
    });
  };

  /** Everything below a manifest first, then the manifest in one commit: what is here is always whole. */
  const importImage = (
    source: Source,
    account: string,
    name: RepositoryName,
    manifest: RemoteManifest,
    tag?: string,
  ): Promise<void> =>
    flights.share(`image ${account} ${name} ${manifest.digest} ${tag ?? ''}`, async () => {
      const { blobs, children } = parseManifest(manifest.bytes, manifest.mediaType);
      for (const child of children) {
        if ((await images.manifests.look(account, name, { kind: 'digest', digest: child.digest })).manifest) continue;
        const found = recent.get(`${account} ${name} ${child.digest}`);
        await importImage(
          source,
          account,
          name,
          found ?? (await source.remote.manifest(source.repository, child.digest)),
        );
      }
      for (const { digest } of blobs) await blob(source, account, name, digest);
      await images.manifests.put({
        account,
        repository: name,
        bytes: manifest.bytes,
        contentType: manifest.mediaType,
        digest: manifest.digest,
        tags: tag === undefined ? [] : [parseTag(tag)],
        actor: importer,
      });
      if (tag !== undefined) await noteChecked(account, name, tag);
    });

  const importDetached = (source: Source, pull: UpstreamPull, manifest: RemoteManifest): void => {
    const { account, name, reference } = pull;
    const tag = reference.kind === 'tag' ? reference.tag : undefined;
    importImage(source, account, name, manifest, tag).catch((error: unknown) => {
      log.warn(
        { requestId: pull.requestId, err: error, repository: name, digest: manifest.digest },
        'an image could not be imported from upstream',
      );
    });
  };

  const ask = async (source: Source, pull: UpstreamPull): Promise<RemoteManifest | undefined> => {
    const { account, name, reference, manifest: present } = pull;
    const text = reference.kind === 'tag' ? reference.tag : reference.digest;
    const known = recent.get(`${account} ${name} ${text}`);
    if (known && reference.kind === 'digest') return known;
    if (present && reference.kind === 'tag') {
      const digest = await source.remote.digestOf(source.repository, reference.tag);
      if (digest === present.digest || digest === undefined) {
        await noteChecked(account, name, reference.tag);
        return undefined;
      }
    }
    const manifest = await source.remote.manifest(source.repository, text);
    parseManifest(manifest.bytes, manifest.mediaType);
    await templates.ensure(account, name, 'PULL_THROUGH_CACHE', pull.actor);
    recent.set(`${account} ${name} ${manifest.digest}`, { ...manifest, bytes: inOwnMemory(manifest.bytes) });
    importDetached(source, pull, manifest);
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
      const text = reference.kind === 'tag' ? reference.tag : reference.digest;
      try {
        return await flights.share(`manifest ${account} ${name} ${text}`, () => ask(source, pull));
      } catch (error) {
        if (!(error instanceof RemoteError || error instanceof ImagesError)) throw error;
        if (pull.manifest) {
          log.warn(
            { requestId: pull.requestId, err: error, repository: name, reference: text },
            'upstream cannot be asked: serving what is here',
          );
          return undefined;
        }
        throw refusalOf(error, name);
      }
    },
    async blob(account, name, digest, mayImport) {
      const source = await sourceOf(account, name);
      if (source === undefined || !(await mayImport())) return false;
      try {
        await blob(source, account, name, digest);
        return true;
      } catch (error) {
        if (error instanceof RemoteError && error.code === 'not-found') return false;
        if (error instanceof RemoteError || error instanceof ImagesError) throw refusalOf(error, name);
        throw error;
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
    settled: () => flights.settled(),
  };
}

/** The failure as the client of the pull sees it. */
function refusalOf(error: RemoteError | ImagesError, name: string): Error {
  const what = `The upstream registry of ${name}`;
  if (error instanceof ImagesError) return error;
  switch (error.code) {
    case 'not-found':
      return new ImagesError('ManifestNotFound', `${what} does not have this image`, { reference: name });
    case 'denied':
      return new GatewayError(
        'denied',
        `${what} refuses the credentials of the pull-through cache rule, or the image is not there`,
      );
    case 'too-many-requests':
      return new GatewayError('throttled', `${what} does not take more requests now`, 60);
    case 'refused':
    case 'corrupt':
    case 'unavailable':
      return new GatewayError('unavailable', `${what} cannot be reached, or does not answer as it should`, 10);
  }
}
