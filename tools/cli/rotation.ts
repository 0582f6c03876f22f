import { parseOutput, print, printJson } from './output.ts';
import { askServer } from './own-routes.ts';

interface Options {
  readonly output: string;
  readonly key?: boolean;
  readonly renew?: boolean;
}

interface Standing {
  readonly arn: string;
  readonly enabled: boolean;
  readonly target?: string;
  readonly lastAt?: number;
  readonly nextAt?: number;
  readonly run?: { readonly step: string; readonly attempt: number; readonly reason?: string };
  readonly failure?: { readonly at: number; readonly reason: string };
}

/** `slipway secrets rotation <name>`: how the rotation of a secret stands, or the key that its webhook's calls are signed with. */
export async function showRotation(name: string, options: Options): Promise<void> {
  const output = parseOutput(options.output);
  const ask = (method: 'GET' | 'POST' | 'DELETE'): Promise<unknown> =>
    askServer(method, `/slipway/rotations/${encodeURIComponent(name)}`, { service: 'secretsmanager' });
  if (options.key === true || options.renew === true) {
    const answer = (await ask(options.renew === true ? 'DELETE' : 'POST')) as { readonly secret: string };
    if (output === 'json') printJson(answer);
    else print(answer.secret);
    return;
  }
  const standing = (await ask('GET')) as Standing;
  if (output === 'json') printJson(standing);
  else print(linesOf(standing).join('\n'));
}

const timeOf = (at: number): string => new Date(at).toISOString().slice(0, 19);

/** What a person reads of it. */
export function linesOf({ enabled, target, lastAt, nextAt, run, failure }: Standing): string[] {
  if (target === undefined) return ['nothing rotates this secret'];
  return [
    `${enabled ? 'rotated' : 'not rotated any more'} by ${target}`,
    `last: ${lastAt === undefined ? 'never' : timeOf(lastAt)}`,
    ...(nextAt === undefined ? [] : [`next: ${timeOf(nextAt)}`]),
    ...(run === undefined
      ? []
      : [`now at ${run.step}, attempt ${run.attempt}${run.reason === undefined ? '' : ` (before: ${run.reason})`}`]),
    ...(failure === undefined ? [] : [`given up at ${timeOf(failure.at)}: ${failure.reason}`]),
  ];
}
