import type { Digest } from '@slipway/storage/blobs';
import { ImagesError } from './errors.ts';

/** A repository's name, 2 to 256 characters, as the ECR API model writes it. Slashes are part of the name. */
export type RepositoryName = string & { readonly __brand: 'RepositoryName' };
/** A tag, 1 to 128 characters, as the OCI distribution specification writes it. */
export type Tag = string & { readonly __brand: 'Tag' };
/** What a manifest is asked for by. */
export type Reference =
  | { readonly kind: 'tag'; readonly tag: Tag }
  | { readonly kind: 'digest'; readonly digest: Digest };

// One component after another, no nested repetition over the same characters: linear time on any input.
const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const tagForm = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const digestForm = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/** @throws ImagesError `RepositoryNameInvalid` */
export function parseRepositoryName(text: string): RepositoryName {
  if (text.length < 2 || text.length > 256 || !text.split('/').every((part) => component.test(part))) {
    throw new ImagesError(
      'RepositoryNameInvalid',
      `Invalid repository name '${printable(text)}': 2 to 256 characters, lower-case letters and digits, separated by '.', '_', '-' or '/'.`,
    );
  }
  return text as RepositoryName;
}

export const isTag = (text: string): text is Tag => tagForm.test(text);

/** @throws ImagesError `TagInvalid` */
export function parseTag(text: string): Tag {
  if (!isTag(text)) {
    throw new ImagesError(
      'TagInvalid',
      `Invalid tag '${printable(text)}': 1 to 128 letters, digits, '_', '.' or '-', not starting with '.' or '-'.`,
    );
  }
  return text;
}

export const isDigest = (text: string): text is Digest => digestForm.test(text);

/** @throws ImagesError `DigestInvalid` */
export function parseDigest(text: string): Digest {
  if (!isDigest(text)) {
    throw new ImagesError(
      'DigestInvalid',
      `Invalid digest '${printable(text)}': want sha256:<64 lower-case hex digits> or sha512:<128>.`,
    );
  }
  return text;
}

/** A text with a colon is a digest, anything else a tag: no tag has a colon. */
export function parseReference(text: string): Reference {
  return text.includes(':') ? { kind: 'digest', digest: parseDigest(text) } : { kind: 'tag', tag: parseTag(text) };
}

/** A caller's text, safe and short enough to be quoted in an error. */
export function printable(text: string): string {
  const clean = text.replace(/[^\x20-\x7e]/g, '?');
  return clean.length > 100 ? `${clean.slice(0, 100)}…` : clean;
}
