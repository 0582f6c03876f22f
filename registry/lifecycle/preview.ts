import type { Json } from '@slipway/storage/records';
import { type Images, keys, registryPartition } from '../images/index.ts';
import { evaluate } from './evaluate.ts';
import { parseLifecyclePolicy } from './policy.ts';
import { imagesOf } from './repository-images.ts';

/** What a policy would do to one image. */
export interface PreviewResult {
  readonly digest: string;
  readonly tags: readonly string[];
  readonly pushedAt: number;
  readonly action: 'expire' | 'transition';
  readonly storageClass: 'standard' | 'archive';
  readonly priority: number;
}

/** A preview that was made. */
export interface Preview {
  readonly id: string;
  readonly policy: string;
  readonly madeAt: number;
  readonly parts: number;
  readonly expiring: number;
  readonly transitioning: number;
}

const partSize = 1000;

/** Evaluates a policy as a run would, now, and keeps the outcome until the next preview of the repository. */
export async function makePreview(
  images: Images,
  account: string,
  repository: string,
  policy: string,
): Promise<Preview> {
  const { clock, records, random } = images.ports;
  const partition = registryPartition(account);
  const rules = parseLifecyclePolicy(policy);
  const now = clock.now();
  const verdicts = evaluate(rules, await imagesOf(images, account, repository), now);
  const results = verdicts.map(({ image, action, priority }): PreviewResult => ({
    digest: image.digest,
    tags: image.tags,
    pushedAt: image.pushedAt,
    action,
    storageClass: image.storageClass,
    priority,
  }));
  const before = await findPreview(images, account, repository);
  const id = Buffer.from(random(12)).toString('hex');
  const parts = Math.ceil(results.length / partSize);
  for (let part = 0; part < parts; part++) {
    const value = results.slice(part * partSize, (part + 1) * partSize) as unknown as Json;
    await records.commit(partition, { put: [{ key: keys.previewPart(repository, id, part), value }] });
  }
  const expiring = results.filter((result) => result.action === 'expire').length;
  const preview: Preview = { id, policy, madeAt: now, parts, expiring, transitioning: results.length - expiring };
  await records.commit(partition, {
    put: [{ key: keys.preview(repository), value: preview as unknown as Json }],
    remove: Array.from({ length: before?.parts ?? 0 }, (_, part) =>
      keys.previewPart(repository, before?.id ?? '', part),
    ),
  });
  return preview;
}

export const findPreview = async (images: Images, account: string, repository: string): Promise<Preview | undefined> =>
  (await images.ports.records.get<Preview>(registryPartition(account), keys.preview(repository)))?.value;

/** One part of a preview's results. */
export const previewPart = async (
  images: Images,
  account: string,
  repository: string,
  preview: Preview,
  part: number,
): Promise<readonly PreviewResult[]> =>
  (
    await images.ports.records.get<PreviewResult[]>(
      registryPartition(account),
      keys.previewPart(repository, preview.id, part),
    )
  )?.value ?? [];
