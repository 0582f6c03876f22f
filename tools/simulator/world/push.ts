import type { RecordStore } from '@slipway/storage/records';

/** A tag that moves to an image. */
export interface Push {
  readonly account: string;
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
  /** Whether the event is written: a push whose event is lost is found by the passes that compare. */
  readonly announced: boolean;
}

/** Commits a push as the registry does: the tag and its event together. */
export async function push(records: RecordStore, { account, repository, tag, digest, announced }: Push): Promise<void> {
  const data = {
    account,
    repository,
    tag,
    digest,
    previous: null,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    actor: `arn:aws:iam::${account}:user/dev`,
  };
  await records.commit(`registry/${account}`, {
    put: [{ key: `tag|${repository}|${tag}`, value: digest }],
    announce: announced ? [{ topic: 'registry', type: 'image.pushed', data }] : [],
  });
}
