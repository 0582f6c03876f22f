import { constants, setPriority } from 'node:os';
import {
  collect,
  type CollectReport,
  interlockOf,
  RecordsWentBack,
  registryAccounts,
} from '@slipway/registry/collector';
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
  // Pulls and pushes of the servers on this machine go first. Before the stores open: their threads inherit it.
  setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  await using stores = await openStores(options.data);
  const reports: Record<string, CollectReport> = {};
  for (const account of await registryAccounts(stores.images.context)) {
    const progress = new Progress(`account ${account}`);
    try {
      reports[account] = await collect(stores.images.context, account, {
        dryRun: options.dryRun ?? false,
        ...(maximum === undefined ? {} : { maximum }),
        interlock: interlockOf(stores.storage.blobs, account, () => stores.storage.lossNoticed()),
        onProgress: (report) =>
          progress.show(`${report.reviewed} looked at, ${report.removed} removed, ${mebibytes(report.freedBytes)}`),
      });
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
  const verb = options.dryRun ? 'would remove' : 'removed';
  for (const [account, report] of Object.entries(reports)) {
    print(
      `account ${account}: ${verb} ${report.removed} blobs, ${mebibytes(report.freedBytes)}; kept ${report.referenced} that images need, ${report.leased} that a push may need`,
    );
    if (report.released > 0)
      print(`  ${report.released} are not needed any more and go when their time of grace is over`);
    if (report.stoppedAtMaximum) print('  stopped at the maximum; run it again for the rest');
  }
  if (Object.keys(reports).length === 0) print('no registry yet, nothing to collect');
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toLocaleString('en-US', { maximumFractionDigits: 1 })} MiB`;
}
