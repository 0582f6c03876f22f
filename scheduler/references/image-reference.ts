/** An image reference as people write it: `host[:port]/repository[:tag][@digest]`. */
export interface ImageReference {
  /** As written, with its port; absent for Docker Hub's short names. */
  readonly host?: string;
  readonly repository: string;
  readonly tag?: string;
  /** `sha256:…`, or `sha512:…` */
  readonly digest?: string;
}

/** Docker Hub's names for itself; references without a host mean it. */
const hub = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);

const hostForm = /^(?:[a-z0-9]+(?:-+[a-z0-9]+)*(?:\.[a-z0-9]+(?:-+[a-z0-9]+)*)*|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/i;
const repositoryForm = /^[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*$/;
const tagForm = /^\w[\w.-]{0,127}$/;
/** A digest, as registries and engines here speak of one: whole, and in lower case. */
export const digestForm = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/** What Docker takes for a name (host and repository together) at most. */
const longestName = 255;

/**
 * Parses by the grammar of the distribution project (`reference.ParseNormalizedNamed`), which Docker splits by: only hosts may have
 * capitals, a tag and a digest may stand together. Undefined when the text is none, so that no engine would take it.
 */
export function parseImageReference(text: string): ImageReference | undefined {
  const [named = '', digest, ...more] = text.split('@');
  if (named.length > longestName + 129 || more.length > 0 || (digest !== undefined && !digestForm.test(digest)))
    return undefined;
  const colon = named.lastIndexOf(':');
  const tagged = colon > named.lastIndexOf('/');
  const name = tagged ? named.slice(0, colon) : named;
  const tag = tagged ? named.slice(colon + 1) : undefined;
  if (name.length > longestName || (tag !== undefined && !tagForm.test(tag))) return undefined;
  const host = hostOf(name);
  const repository = host === undefined ? name : name.slice(host.length + 1);
  if (host !== undefined && !hostForm.test(host)) return undefined;
  // Docker takes 64 hexadecimal digits for the id of an image of its own.
  if (/^[0-9a-f]{64}$/.test(text) || !repository.split('/').every((part) => repositoryForm.test(part)))
    return undefined;
  return {
    repository,
    ...(host === undefined ? {} : { host }),
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** The first part of a name, where that is a host: it has a dot, a colon or a capital, or is `localhost`. */
function hostOf(name: string): string | undefined {
  const slash = name.indexOf('/');
  const first = slash === -1 ? '' : name.slice(0, slash);
  return /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase() ? first : undefined;
}

/**
 * The registry of an image: `host[:port]` in lower case, `docker.io` for Docker Hub under each of its names. Of a text that is no
 * reference it is what Docker would take for the host, so that no spelling hides one.
 */
export function registryOf(image: string): string {
  return registryNamed(hostOf(image) ?? 'docker.io');
}

/** A registry by the name that {@link registryOf} gives it: `Docker.IO` and `index.docker.io` are `docker.io`. */
export function registryNamed(name: string): string {
  const host = name.toLowerCase();
  return hub.has(host) ? 'docker.io' : host;
}

/** Name or address (without brackets) and port of a registry, as {@link registryOf} has it. */
export function splitRegistry(registry: string): { readonly host: string; readonly port?: number } {
  const colon = registry.lastIndexOf(':');
  const ported = colon > registry.lastIndexOf(']');
  const host = (ported ? registry.slice(0, colon) : registry).replaceAll(/^\[|\]$/g, '');
  return ported ? { host, port: Number(registry.slice(colon + 1)) } : { host };
}

/** Whether two references mean one repository, however its registry is written: `web` is `docker.io/library/web`. */
export const sameRepository = (one: ImageReference, other: ImageReference): boolean =>
  fullName(one) === fullName(other);

function fullName({ host, repository }: ImageReference): string {
  const registry = registryNamed(host ?? 'docker.io');
  const short = registry === 'docker.io' && !repository.includes('/');
  return `${registry}/${short ? 'library/' : ''}${repository}`;
}

/** Host and repository as written, with neither tag nor digest: what engines list an image's digests under. */
export const withoutTag = ({ host, repository }: ImageReference): string =>
  host === undefined ? repository : `${host}/${repository}`;

/** As Docker is asked for an image: by a tag or by a digest, which says all. */
export function dockerName(reference: ImageReference): string {
  const { tag, digest } = reference;
  if (digest !== undefined) return `${withoutTag(reference)}@${digest}`;
  return tag === undefined ? withoutTag(reference) : `${withoutTag(reference)}:${tag}`;
}

/** The tag a reference stands for: its own, or `latest` when it names neither tag nor digest. */
export const effectiveTag = ({ tag, digest }: ImageReference): string | undefined =>
  tag ?? (digest === undefined ? 'latest' : undefined);

/**
 * The reference pinned to a digest, with its tag still to be read: `host/repository:tag@sha256:…`. Docker pulls and runs
 * such a reference by its digest (the tag is ignored), and the tag tells what the pin follows.
 */
export const pinned = (reference: ImageReference, digest: string, tag = effectiveTag(reference)): string =>
  `${withoutTag(reference)}${tag === undefined ? '' : `:${tag}`}@${digest}`;
