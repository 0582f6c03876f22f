/** An image reference as people write it: `host[:port]/repository[:tag][@digest]`. */
export interface ImageReference {
  /** Absent for Docker Hub's short names. */
  readonly host?: string;
  readonly repository: string;
  readonly tag?: string;
  /** `sha256:…`, or `sha512:…` */
  readonly digest?: string;
}

const grammar =
  /^(?:(?<host>[^/]*[.:][^/]*|localhost|\[[0-9a-f:.]+\](?::\d+)?)\/)?(?<repository>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)(?::(?<tag>\w[\w.-]{0,127}))?(?:@(?<digest>sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}))?$/i;

/** A host, a name of 255, a tag of 128 and a digest fit; the grammar takes its time over longer texts. */
const longest = 1024;

/** Parses by the rules of the docker reference grammar: the first part is a host when it has a dot or a colon, or is `localhost`. Undefined when it is none. */
export function parseImageReference(text: string): ImageReference | undefined {
  const parts = text.length > longest ? undefined : grammar.exec(text)?.groups;
  if (parts?.['repository'] === undefined) return undefined;
  const { host, repository, tag, digest } = parts;
  return {
    repository,
    ...(host === undefined ? {} : { host }),
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** The tag a reference stands for: its own, or `latest` when it names neither tag nor digest. */
export const effectiveTag = ({ tag, digest }: ImageReference): string | undefined =>
  tag ?? (digest === undefined ? 'latest' : undefined);

/**
 * The reference pinned to a digest, with its tag still to be read: `host/repository:tag@sha256:…`. Docker pulls and runs
 * such a reference by its digest (the tag is ignored), and the tag tells what the pin follows.
 */
export function pinned(reference: ImageReference, digest: string, tag = effectiveTag(reference)): string {
  const host = reference.host === undefined ? '' : `${reference.host}/`;
  return `${host}${reference.repository}${tag === undefined ? '' : `:${tag}`}@${digest}`;
}
