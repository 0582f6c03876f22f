import { everyImage, everyRepository, type Images, type ListedImage, type ReplicationRule } from '../images/index.ts';
import { type Backfill, type BackfillResult, type Backfills, isOver } from './backfills.ts';
import { failureCodeOf } from './copy.ts';

export interface BackfillRun {
  readonly images: Images;
  readonly backfills: Backfills;
  readonly account: string;
  readonly id: string;
  readonly rules: readonly ReplicationRule[];
  readonly copy: (repository: string, image: ListedImage, destination: Backfill['destination']) => Promise<void>;
  readonly signal: AbortSignal;
}

/** Does what is left of a backfill, image by image; each is noted when it is done, so that any server can go on from there. */
export async function runBackfill(run: BackfillRun): Promise<void> {
  const { backfills, account, id, signal } = run;
  let backfill = await backfills.get(account, id);
  if (backfill.status === 'PREPARING') {
    let total = 0;
    for await (const _image of imagesFor(run, backfill)) total += 1;
    backfill = await backfills.change(account, id, (now) =>
      now.status === 'PREPARING' ? { ...now, status: 'IN_PROGRESS', total } : undefined,
    );
  }
  for await (const { repository, image } of imagesFor(run, backfill)) {
    if (signal.aborted) return;
    if (backfill.status !== 'IN_PROGRESS') break;
    const result = await attempt(run, backfill, repository, image);
    const before = backfill.cursor;
    backfill = await backfills.change(
      account,
      id,
      (now) => {
        // Somebody else has gone on with it in the meantime: what was done twice counts once.
        if (now.cursor?.repository !== before?.repository || now.cursor?.digest !== before?.digest) return undefined;
        const codes = new Set([...now.failureCodes, ...(result.failureCode === undefined ? [] : [result.failureCode])]);
        return {
          ...now,
          completed: now.completed + (result.status === 'COMPLETE' ? 1 : 0),
          failed: now.failed + (result.status === 'FAILED' ? 1 : 0),
          failureCodes: [...codes],
          cursor: { repository, digest: image.digest },
        };
      },
      result,
    );
    if (backfill.cursor?.digest !== image.digest || backfill.cursor.repository !== repository) return;
  }
  await backfills.change(account, id, (now) => (isOver(now) ? undefined : ended(now, run.images.ports.clock.now())));
}

function ended(backfill: Backfill, endedAt: number): Backfill {
  if (backfill.status === 'STOPPING') return { ...backfill, status: 'STOPPED', endedAt };
  const failed = backfill.failed > 0 && backfill.completed === 0;
  const [failureCode] = backfill.failureCodes;
  return {
    ...backfill,
    status: failed ? 'FAILED' : 'COMPLETE',
    endedAt,
    ...(failed && failureCode !== undefined ? { failureCode } : {}),
  };
}

async function attempt(
  run: BackfillRun,
  backfill: Backfill,
  repository: string,
  image: ListedImage,
): Promise<BackfillResult> {
  try {
    await run.copy(repository, image, backfill.destination);
    return { repository, digest: image.digest, status: 'COMPLETE' };
  } catch (error) {
    return { repository, digest: image.digest, status: 'FAILED', failureCode: failureCodeOf(error) };
  }
}

/** Images that the rules send to the destination, from the cursor on, in a fixed order. */
async function* imagesFor(
  { images, account, rules }: BackfillRun,
  { destination, cursor }: Backfill,
): AsyncGenerator<{ readonly repository: string; readonly image: ListedImage }> {
  for await (const { name } of everyRepository(images, account)) {
    if (cursor !== undefined && name < cursor.repository) continue;
    if (!destinationsOf(rules, name).some((one) => sameDestination(one, destination))) continue;
    const after = cursor?.repository === name ? cursor.digest : undefined;
    for await (const image of everyImage(images, account, name, after)) {
      if (image.archivedAt === undefined) yield { repository: name, image };
    }
  }
}

export const sameDestination = (a: Backfill['destination'], b: Backfill['destination']): boolean =>
  a.region === b.region && a.registryId === b.registryId;

/** Where the rules send a repository's images, each destination once. */
export function destinationsOf(
  rules: readonly ReplicationRule[],
  repository: string,
): readonly Backfill['destination'][] {
  const all = rules
    .filter(({ prefixes }) => prefixes.length === 0 || prefixes.some((prefix) => repository.startsWith(prefix)))
    .flatMap(({ destinations }) => destinations);
  return all.filter((one, position) => all.findIndex((other) => sameDestination(one, other)) === position);
}
