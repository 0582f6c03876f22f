import { DescribeImageScanFindingsCommand, ECRClient, StartImageScanCommand } from '@aws-sdk/client-ecr';
import { createOutbound } from '@slipway/auth/outbound';
import { updateAdvisories, UpdateFailed } from '@slipway/registry/advisories';
import {
  parseScanRule,
  policyTags,
  readPolicy,
  type ScanPolicy,
  type ScanRule,
  writePolicy,
} from '@slipway/registry/scanning';
import { readConfig } from '../server/config.ts';
import { advisoriesFile } from '../server/scanning.ts';
import { clientSettings } from './aws-client.ts';
import { CliError } from './errors.ts';
import { parseOutput, print, printJson, table } from './output.ts';
import { Progress } from './progress.ts';
import { openStores } from './stores.ts';

/** `slipway scan update`: fills the embedded scanner's advisories from OSV folders, files or URLs; run it where the server runs. */
export async function updateScanner(
  sources: readonly string[],
  options: { readonly data: string; readonly replace?: boolean; readonly output: string },
): Promise<void> {
  const output = parseOutput(options.output);
  const config = readConfig({ ...process.env, SLIPWAY_DATA: options.data });
  const outbound = createOutbound({ allow: config.outboundAllow });
  const progress = new Progress('advisories');
  try {
    const result = await updateAdvisories({
      file: advisoriesFile(config.data),
      sources,
      replace: options.replace ?? false,
      fetch: (url, { signal }) => outbound.stream(url, { method: 'GET', headers: {}, signal }),
      now: Date.now(),
      progress: ({ stage, source, done }) =>
        progress.show(`${stage} ${source}: ${stage === 'downloading' ? `${(done / 2 ** 20).toFixed(1)} MiB` : done}`),
    });
    progress.end();
    if (output === 'json') printJson(result);
    else {
      print(
        `${result.imported} advisories imported, ${result.withdrawn} withdrawn, ${result.skipped} records skipped; ${result.advisories} in all, for ${result.ecosystems.join(', ')}`,
      );
      for (const problem of result.problems) print(`  ${problem}`);
    }
  } catch (error) {
    if (error instanceof UpdateFailed) throw new CliError(error.message);
    throw error;
  } finally {
    progress.end();
    await outbound.close();
  }
}

/**
 * Splits `<repository>:<tag>` or `<repository>@<digest>`; before the repository may stand a host of this installation, as in
 * what `repositoryUri` says and docker pulls.
 * @param ownHost the host of this installation, with its port as image names have it
 * @throws CliError for another host's image, and for what is no image
 */
export function parseImage(
  text: string,
  ownHost: string,
): {
  readonly repositoryName: string;
  readonly imageId: { imageTag: string } | { imageDigest: string };
} {
  const isOwn = text.startsWith(`${ownHost}/`);
  const [, repositoryName = '', digest, tag] =
    /^([^:@]+)(?:@(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})|:([\w][\w.-]{0,127}))$/.exec(
      isOwn ? text.slice(ownHost.length + 1) : text,
    ) ?? [];
  const [, other] = /^([^/@]+:\d+)\//.exec(text) ?? [];
  if (!isOwn && other !== undefined)
    throw new CliError(`${other} is not the installation that AWS_ENDPOINT_URL names, ${ownHost}`, 2);
  if (repositoryName === '')
    throw new CliError(`name the image as <repository>:<tag> or <repository>@<digest>, not '${text}'`, 2);
  return { repositoryName, imageId: digest === undefined ? { imageTag: tag ?? '' } : { imageDigest: digest } };
}

/** Where a command calls, and the image it is about. */
function about(image: string): { readonly client: ECRClient; readonly named: ReturnType<typeof parseImage> } {
  const settings = clientSettings();
  return { client: new ECRClient(settings), named: parseImage(image, new URL(settings.endpoint).host) };
}

/** `slipway scan start`. */
export async function startScan(image: string): Promise<void> {
  const { client, named } = about(image);
  const { imageScanStatus } = await client.send(new StartImageScanCommand(named));
  print(`${image}: ${imageScanStatus?.status ?? ''}`);
}

/** `slipway scan findings`: what the newest scan of an image found, worst first as the server lists it. */
export async function scanFindings(image: string, options: { readonly output: string }): Promise<void> {
  const output = parseOutput(options.output);
  const { client, named } = about(image);
  const first = await client.send(new DescribeImageScanFindingsCommand({ ...named, maxResults: 1000 }));
  const findings = first.imageScanFindings?.findings ?? [];
  for (let nextToken = first.nextToken; nextToken !== undefined;) {
    const page = await client.send(new DescribeImageScanFindingsCommand({ ...named, maxResults: 1000, nextToken }));
    findings.push(...(page.imageScanFindings?.findings ?? []));
    nextToken = page.nextToken;
  }
  if (output === 'json') {
    printJson({
      status: first.imageScanStatus,
      severityCounts: first.imageScanFindings?.findingSeverityCounts ?? {},
      findings,
    });
    return;
  }
  print(
    `${image}: ${first.imageScanStatus?.status ?? ''}${first.imageScanStatus?.description ? `, ${first.imageScanStatus.description}` : ''}`,
  );
  if (findings.length === 0) return;
  const attribute = (finding: (typeof findings)[number], key: string): string =>
    finding.attributes?.find((it) => it.key === key)?.value ?? '';
  print(
    table(
      ['SEVERITY', 'ID', 'PACKAGE', 'VERSION'],
      findings.map((it) => [
        it.severity ?? '',
        it.name ?? '',
        attribute(it, 'package_name'),
        attribute(it, 'package_version'),
      ]),
    ),
  );
}

export interface PolicyOptions {
  readonly data: string;
  readonly blockPulls?: string;
  readonly blockRollouts?: string;
  readonly output: string;
}

/** `slipway scan policy`: shows or sets the registry-wide rules; repositories' tags of the same meaning go before them. */
export async function scanPolicy(options: PolicyOptions): Promise<void> {
  const output = parseOutput(options.output);
  const pulls = ruleOf('--block-pulls', options.blockPulls);
  const rollouts = ruleOf('--block-rollouts', options.blockRollouts);
  await using stores = await openStores(options.data);
  const { records } = stores.storage;
  const { account } = stores.config;
  const before = await readPolicy(records, account);
  const policy: ScanPolicy = {
    ...changed('blockPulls', before.blockPulls, pulls),
    ...changed('blockRollouts', before.blockRollouts, rollouts),
  };
  if (pulls !== undefined || rollouts !== undefined) await writePolicy(records, account, policy);
  if (output === 'json') printJson(policy);
  else {
    print(`pulls      ${told(policy.blockPulls)}`);
    print(`roll-outs  ${told(policy.blockRollouts)}`);
    print(
      `A repository's own tags ${policyTags.pulls} and ${policyTags.rollouts} go before these. Servers follow within seconds.`,
    );
  }
}

function ruleOf(option: string, text: string | undefined): ScanRule | 'none' | undefined {
  if (text === undefined) return undefined;
  const rule = parseScanRule(text);
  if (rule === undefined)
    throw new CliError(
      `${option} takes a severity such as HIGH, HIGH+unscannable or CRITICAL+unscanned, or none, not '${text}'`,
      2,
    );
  return rule;
}

function changed(
  name: keyof ScanPolicy,
  before: ScanRule | undefined,
  wanted: ScanRule | 'none' | undefined,
): ScanPolicy {
  const rule = wanted === undefined ? before : wanted === 'none' ? undefined : wanted;
  return rule === undefined ? {} : { [name]: rule };
}

function told(rule: ScanRule | undefined): string {
  if (rule === undefined) return 'never refused';
  return `refused with a finding of ${rule.severity} or worse${rule.unscanned ? ', and when nobody has scanned the image' : rule.unscannable === true ? ', and when its scan came to no verdict' : ''}`;
}
