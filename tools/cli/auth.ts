import { randomUUID } from 'node:crypto';
import type { AccessExplanation } from '@slipway/auth/identity';
import { createResources, parseRepositoryName } from '@slipway/registry/images';
import { CliError } from './errors.ts';
import { parseOutput, print, printJson, table } from './output.ts';
import { openStores, type Stores } from './stores.ts';

export interface ExplainOptions {
  readonly data: string;
  readonly principal: string;
  readonly action: string;
  readonly resource: string;
  readonly context?: readonly string[];
  readonly sourceIp: string;
  readonly output: string;
}

/** `slipway auth explain`: who, what, on what, which policies were looked at, and why it is allowed or not. Exit 0 when allowed, 3 when not. */
export async function explainAccess(options: ExplainOptions): Promise<void> {
  const output = parseOutput(options.output);
  if (!/^[a-z0-9-]+:[A-Za-z]+$/.test(options.action))
    throw new CliError(`name the action as service:Action, e.g. ecr:PutImage, not '${options.action}'`, 2);
  await using stores = await openStores(options.data);
  const { config, identity } = stores;
  const principal = options.principal.startsWith('arn:')
    ? options.principal
    : `arn:aws:iam::${config.account}:user/${options.principal}`;
  const resource = await resourceOf(stores, options.resource, options.action);
  const [explanation] = await identity.explain(
    principal,
    { action: options.action, resources: [resource], context: contextOf(options.context ?? []) },
    {
      requestId: randomUUID(),
      principal: { type: 'user', account: config.account, arn: principal, id: '' },
      account: config.account,
      region: config.region,
      endpoint: '',
      sourceIp: options.sourceIp,
      userAgent: 'slipway',
      time: new Date(),
      signal: AbortSignal.timeout(30_000),
    },
  );
  if (!explanation) throw new CliError(`nothing to explain for ${principal}`);
  if (output === 'json') printJson(explanation);
  else printExplanation(explanation);
  process.exitCode = explanation.allowed ? 0 : 3;
}

/** A repository is looked up, so that its own policy and tags count; `team-a/web` stands for its ARN. */
async function resourceOf({ config, images }: Stores, text: string, action: string): Promise<{ readonly arn: string }> {
  const name = /^arn:aws:ecr:[^:]*:(\d{12}):repository\/(.+)$/.exec(text);
  if (name)
    return createResources(images, config.region).find(name[1] ?? '', parseRepositoryName(name[2] ?? ''), action);
  if (text.startsWith('arn:') || text === '*') return { arn: text };
  if (action.startsWith('ecr:'))
    return createResources(images, config.region).find(config.account, parseRepositoryName(text), action);
  throw new CliError(`name the resource by its ARN, not '${text}'`, 2);
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

function printExplanation(explanation: AccessExplanation): void {
  const verb = explanation.allowed ? 'may' : 'may not';
  print(`${explanation.principal} ${verb} ${explanation.action} on ${explanation.resource}`);
  print(`because ${explanation.reason}`);
  if (explanation.decidedBy)
    print(`decided by statement ${explanation.decidedBy.statement} of ${explanation.decidedBy.policy}`);
  print();
  if (explanation.considered.length === 0) print('No policy applies to this principal.');
  else
    print(
      table(
        ['LAYER', 'POLICY'],
        explanation.considered.map(({ layer, policy }) => [layer, policy]),
      ),
    );
  if (explanation.missingKeys.length > 0) {
    print();
    print(
      `Policies ask for condition keys this request does not have: ${explanation.missingKeys.join(', ')} (give them with --context key=value)`,
    );
  }
}
