import {
  collect,
  type CollectReport,
  interlockOf,
  type Journal,
  readJournal,
  RecordsWentBack,
} from '@slipway/registry/collector';
import { registryAccounts } from '@slipway/registry/images';
import { Rests } from './background.ts';
import { CliError } from './errors.ts';
import { parseOutput, print, printJson } from './output.ts';
import { Progress } from './progress.ts';
import { openStores } from './stores.ts';

/** `slipway gc`: collects garbage now, beside running servers; with `--dry-run` it only counts. */
export async function gc(options: {
  readonly data: string;
  readonly dryRun?: boolean;
  readonly maximum?: string;
  readonly output: string;
}): Promise<void> {
  const output = parseOutput(options.output);
  const maximum = options.maximum === undefined ? undefined : Number(options.maximum);
  if (maximum !== undefined && !(Number.isInteger(maximum) && maximum > 0))
    throw new CliError(`--maximum is a number of blobs, not '${options.maximum ?? ''}'`, 2);
  const verb = options.dryRun ? 'would remove' : 'removed';
  await using stores = await openStores(options.data);
  const reports: Record<string, CollectReport & Pick<Journal, 'waiting' | 'nextDueAt'>> = {};
  const rests = new Rests();
  for (const account of await registryAccounts(stores.images.ports)) {
    const { ports } = stores.images;
    const progress = new Progress(`account ${account}`);
    try {
      const { due } = await readJournal(ports, account);
      const report = await collect(ports, account, {
        dryRun: options.dryRun ?? false,
        ...(maximum === undefined ? {} : { maximum }),
        interlock: interlockOf(stores.storage.blobs, account, () => stores.storage.lossNoticed()),
        onProgress: ({ reviewed, removed, freedBytes }) => {
          progress.bar(reviewed, due, `${verb} ${removed} blobs, ${mebibytes(freedBytes)}`);
          return options.dryRun ? undefined : rests.rest();
        },
      });
      const { waiting, nextDueAt } = await readJournal(ports, account);
      reports[account] = { ...report, waiting, ...(nextDueAt === undefined ? {} : { nextDueAt }) };
    } catch (error) {
      if (error instanceof RecordsWentBack) throw new CliError(error.message);
      throw error;
    } finally {
      progress.end();
    }
  }
  if (output === 'json') {
    printJson(reports);
    return;
  }
  for (const [account, report] of Object.entries(reports)) {
    print(`account ${account}: ${verb} ${report.removed} blobs, ${mebibytes(report.freedBytes)}`);
    if (report.referenced > 0) print(`  kept ${report.referenced} that images need`);
    if (report.leased > 0) print(`  kept ${report.leased} that a push may need: somebody was told that they are here`);
    if (report.released > 0)
      print(`  kept ${report.released} that nothing needs any more, until their time of grace is over (an hour)`);
    if (report.nextDueAt !== undefined)
      print(
        `  ${report.waiting} looks are not due yet, the next at ${new Date(report.nextDueAt).toISOString()}: a day after a push, an hour after a removal`,
      );
    if (report.stoppedAtMaximum) print('  stopped at the maximum; run it again for the rest');
  }
  if (Object.keys(reports).length === 0) print('no registry yet, nothing to collect');
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toLocaleString('en-US', { maximumFractionDigits: 1 })} MiB`;
}
