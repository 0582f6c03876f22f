import { notSupported } from './errors.ts';

/**
 * Members that this installation does not act on, each with what to do instead. A member that is absent, an empty
 * list or `false` asks for nothing and passes.
 */
export type Refusals<Input> = { readonly [Member in keyof Input]?: string };

/** @throws InvalidParameterException for the first member that asks for something this installation does not do */
export function refuseMembers<Input extends object>(input: Input, refusals: Refusals<Input>, where = ''): void {
  for (const [member, instead] of Object.entries<string | undefined>(refusals)) {
    if (instead === undefined || !asks(input[member as keyof Input])) continue;
    throw notSupported(`'${where}${member}'`, instead);
  }
}

const asks = (value: unknown): boolean =>
  value !== undefined && value !== null && value !== false && !(Array.isArray(value) && value.length === 0);
