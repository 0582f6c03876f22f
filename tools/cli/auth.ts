import { randomBytes, randomUUID } from 'node:crypto';
import type { AuditLine } from '@slipway/auth/audit';
import type { AccessRequest, ResourceRef } from '@slipway/auth/contract';
import { type AccessExplanation, userArn } from '@slipway/auth/identity';
import { createResources, ImagesError, parseRepositoryName } from '@slipway/registry/images';
import { accessByArn } from '@slipway/scheduler/ecs';
import { serverReach } from '@slipway/scheduler/reach';
import { systemClock } from '@slipway/storage/clock';
import { accessReport } from './access-report.ts';
import { findAuditLine } from './audit-lines.ts';
import { CliError } from './errors.ts';
import { parseOutput, print, printJson } from './output.ts';
import { openStores, type Stores } from './stores.ts';

export interface ExplainOptions {
  readonly data: string;
  readonly request?: string;
  readonly principal?: string;
  readonly action?: string;
  readonly resource?: string;
  readonly context?: readonly string[];
  readonly sourceIp?: string;
  readonly output: string;
}

/** What is to be explained. */
interface Question {
  /** ARN or access key id. */
  readonly who: string;
  readonly action: string;
  /** ARNs, or the name of a repository. */
  readonly resources: readonly string[];
  readonly sourceIp: string;
}

/**
 * `slipway auth explain`: who, what, on what, which policies were looked at, and why it is allowed or not, of a question or of a
 * request that was made. Exit 0 when allowed, 3 when not.
 */
export async function explainAccess(options: ExplainOptions): Promise<void> {
  const output = parseOutput(options.output);
  await using stores = await openStores(options.data);
  const line = options.request === undefined ? undefined : await auditLine(stores, options.request);
  const questions = line === undefined ? [asked(options, stores)] : judged(line);
  const told: AccessExplanation[] = [];
  for (const question of questions) told.push(...(await explain(stores, question, contextOf(options.context ?? []))));
  if (output === 'json') printJson(line === undefined ? told[0] : { request: line, now: told });
  else {
    if (line !== undefined) printLine(line);
    print(told.map(accessReport).join('\n\n'));
  }
  process.exitCode = told.every(({ allowed }) => allowed) && (line?.status ?? 0) < 400 ? 0 : 3;
}

function asked({ principal, action, resource, sourceIp }: ExplainOptions, { config }: Stores): Question {
  if (principal === undefined || action === undefined || resource === undefined)
    throw new CliError('name --principal, --action and --resource, or a --request that was made', 2);
  if (!/^[a-z0-9-]+:[A-Za-z]+$/.test(action))
    throw new CliError(`name the action as service:Action, e.g. ecr:PutImage, not '${action}'`, 2);
  const named = /^(?:arn:|A(?:KIA|SIA)[A-Z0-9]{16}$)/.test(principal);
  return {
    who: named ? principal : userArn(config.account, { path: '/', name: principal }),
    action,
    resources: [resource],
    sourceIp: sourceIp ?? '127.0.0.1',
  };
}

async function auditLine(stores: Stores, requestId: string): Promise<AuditLine> {
  const line = await findAuditLine(stores.config.data, requestId);
  if (line !== undefined) return line;
  throw new CliError(
    `no audit line of ${stores.config.data} is of a request ${requestId}: its id is in the answer's header x-amzn-requestid; each server keeps its own lines`,
  );
}

/** What a request had to be allowed: what was refused, or everything when nothing was. */
function judged(line: AuditLine): readonly Question[] {
  const refused = line.decisions.filter(({ allowed }) => !allowed);
  return (refused.length === 0 ? line.decisions : refused).map(({ action, resources }) => ({
    // A webhook's maker is not there with any key.
    who: line.principal.accessKeyId ?? line.principal.arn,
    action,
    resources,
    sourceIp: line.sourceIp,
  }));
}

function printLine(line: AuditLine): void {
  print(
    `${line.time}  ${line.service}:${line.operation}  by ${line.principal.arn} from ${line.sourceIp} (${line.via})`,
  );
  print(
    `answered ${line.status}${line.error === undefined ? '' : ` ${line.error}`}${line.detail === undefined ? '' : `: ${line.detail}`}`,
  );
  for (const { action, resources, allowed, reason } of line.decisions)
    print(`  then: ${allowed ? 'allowed' : 'refused'} ${action} on ${resources.join(', ') || '*'}: ${reason}`);
  if (line.decisions.length === 0) print('  no policy was asked');
  else print('\nnow:');
}

async function explain(
  stores: Stores,
  { who, action, resources, sourceIp }: Question,
  given: Readonly<Record<string, string>>,
): Promise<readonly AccessExplanation[]> {
  const { config, identity } = stores;
  const told: AccessExplanation[] = [];
  for (const text of resources.length === 0 ? ['*'] : resources) {
    const access = await accessTo(stores, text, action);
    told.push(
      ...(await identity.explain(
        who,
        { action, ...access, context: { ...access.context, ...given } },
        {
          requestId: randomUUID(),
          principal: { type: 'user', account: config.account, arn: who, id: '' },
          account: config.account,
          region: config.region,
          endpoint: '',
          sourceIp,
          userAgent: 'slipway',
          time: new Date(),
          signal: AbortSignal.timeout(30_000),
        },
      )),
    );
  }
  return told;
}

/** What counts about a resource: the policy and tags of a repository or role, the tags and cluster of what ECS has. */
async function accessTo(
  stores: Stores,
  text: string,
  action: string,
): Promise<Pick<AccessRequest, 'resources' | 'context'>> {
  const { config, identity, storage } = stores;
  const { region } = config;
  if (/^arn:[^:]*:ecs:/.test(text))
    return accessByArn(
      // Nothing is run here, so nothing is reached.
      { records: storage.records, clock: systemClock, random: randomBytes, region, reach: serverReach({}) },
      text,
    );
  if (/^arn:[^:]*:iam:/.test(text)) return { resources: [await identity.resource(text, action)] };
  const name = /^arn:aws:ecr:[^:]*:(\d{12}):repository\/(.+)$/.exec(text);
  if (name === null && (text.startsWith('arn:') || text === '*')) return { resources: [{ arn: text }] };
  if (name === null && !action.startsWith('ecr:')) throw new CliError(`name the resource by its ARN, not '${text}'`, 2);
  return { resources: [await repository(stores, name?.[1] ?? config.account, name?.[2] ?? text, action)] };
}

async function repository(
  { config, images }: Stores,
  account: string,
  name: string,
  action: string,
): Promise<ResourceRef> {
  try {
    return await createResources(images, config.region).find(account, parseRepositoryName(name), action);
  } catch (error) {
    if (error instanceof ImagesError) throw new CliError(error.message, 2);
    throw error;
  }
}

function contextOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new CliError(`--context takes key=value, e.g. aws:ResourceTag/team=a, not '${pair}'`, 2);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}
