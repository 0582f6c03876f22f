import { type Cidr, formatCidr, parseCidr } from '@slipway/scheduler/network/addresses';
import { type Rest, unfit } from '@slipway/scheduler/scaling/providers';
import { z } from 'zod';

/** What makes machines: a program, prepared machines that are reached by ssh, or this computer itself, as network namespaces with Docker engines of their own. */
export type InstanceProviderConfig =
  | { readonly name: string; readonly command: readonly string[]; readonly rests?: readonly Rest[] }
  | { readonly name: string; readonly ssh: { readonly file: string } }
  | { readonly name: string; readonly docker: DockerMachines };

export interface DockerMachines {
  /** What machines have addresses of. */
  readonly range: Cidr;
  /** Machines at once. */
  readonly most: number;
}

/** Out of what is for tests of networks (RFC 2544): neither homes nor clouds route it. */
const usualRange: Cidr = { base: 198 * 2 ** 24 + 19 * 2 ** 16, length: 24 };
const usualMost = 8;

const shape =
  /^(?<name>[a-z][a-z0-9-]{0,31})=(?:(?:can=(?<can>stop(?:\+hibernate)?)\s+)?(?<command>\/\S*(?:\s+\S+)*)|ssh\s+file=(?<file>\/\S+)|docker(?<words>(?:\s+(?:range=\S+|most=\d{1,3}))*))$/;

/** What a program says that it can have machines do while they wait. */
const restsOf = (can: string): readonly Rest[] => (can === 'stop' ? ['Stopped'] : ['Stopped', 'Hibernated']);

const provider = z
  .string()
  .regex(shape, {
    message:
      'must be NAME=/PATH/OF/PROGRAM ARGUMENTS (NAME=can=stop /PATH… or NAME=can=stop+hibernate /PATH… where it can do that), NAME=ssh file=/PATH/OF/POOL.json or NAME=docker range=CIDR most=NUMBER, comma-separated',
    abort: true,
  })
  .transform((text, context): InstanceProviderConfig => {
    const { name = '', can = '', command, file, words = '' } = shape.exec(text)?.groups ?? {};
    if (command !== undefined)
      return { name, command: command.split(/\s+/), ...(can === '' ? {} : { rests: restsOf(can) }) };
    if (file !== undefined) return { name, ssh: { file } };
    const said = new Map(words.split(/\s+/).map((word) => word.split('=', 2) as [string, string | undefined]));
    const given = said.get('range');
    const most = Number(said.get('most') ?? usualMost);
    const range = given === undefined ? usualRange : parseCidr(given);
    const wrong = range === undefined ? `${given} is no range like ${formatCidr(usualRange)}` : unfit(range, most);
    if (wrong !== undefined) context.addIssue(wrong);
    return { name, docker: { range: range ?? usualRange, most } };
  });

/** `SLIPWAY_INSTANCE_PROVIDERS`, split at its commas. */
export const instanceProvidersShape = z
  .array(provider)
  .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, 'must name each provider once')
  .refine((all) => all.filter((one) => 'docker' in one).length <= 1, 'can have docker once');

/** What contradicts another setting. */
export function instanceProviderProblems(providers: readonly InstanceProviderConfig[], records: string): string[] {
  return records !== 'sqlite' && providers.some((one) => 'docker' in one)
    ? [
        'SLIPWAY_INSTANCE_PROVIDERS: docker makes machines on this computer, which servers elsewhere on the same store could not end: use it with SLIPWAY_RECORDS=sqlite',
      ]
    : [];
}
