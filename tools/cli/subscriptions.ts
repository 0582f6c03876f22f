import { harmless, parseOutput, print, printJson } from './output.ts';
import { askServer } from './own-routes.ts';

interface Options {
  readonly output: string;
}

/** How far the receiver of a filter is, as the server's own route has it; times are milliseconds since the epoch. */
interface Progress {
  readonly delivered: number;
  readonly dropped: number;
  readonly owed: number;
  readonly failure?: {
    readonly since: number;
    readonly attempts: number;
    readonly nextAt: number;
    readonly reason: string;
  };
}

const pathOf = (group: string, filter: string): string =>
  `/slipway/subscriptions/${encodeURIComponent(group)}/${encodeURIComponent(filter)}`;

/** `slipway subscriptions show`: what a subscription filter has told its receiver, and what not and why. */
export async function showSubscription(group: string, filter: string, options: Options): Promise<void> {
  const output = parseOutput(options.output);
  const progress = (await askServer('GET', pathOf(group, filter), { service: 'logs' })) as Progress;
  if (output === 'json') {
    printJson(progress);
    return;
  }
  const { delivered, dropped, owed, failure } = progress;
  print(
    `${harmless(group)} ${harmless(filter)}: ${failure === undefined ? 'its receiver takes what comes' : 'its receiver does not take what comes'}`,
  );
  print(`  told:    ${delivered} events`);
  print(`  waiting: ${owed} events, beside what came in the last minute`);
  print(`  dropped: ${dropped} events`);
  if (failure === undefined) return;
  print(`  failing: since ${iso(failure.since)}, ${failure.attempts} attempts: ${harmless(failure.reason)}`);
  print(`  next:    ${iso(failure.nextAt)}`);
}

/** `slipway subscriptions secret`: what the calls of a subscription filter are signed with, through the server's own route. */
export async function subscriptionSecret(
  group: string,
  filter: string,
  options: Options & { readonly renew?: boolean },
): Promise<void> {
  const output = parseOutput(options.output);
  const method = options.renew === true ? 'DELETE' : 'POST';
  const answer = (await askServer(method, pathOf(group, filter), { service: 'logs' })) as { readonly secret?: string };
  if (output === 'json') printJson(answer);
  else print(answer.secret ?? '');
}

const iso = (milliseconds: number): string => new Date(milliseconds).toISOString();
