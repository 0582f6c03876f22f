import type { Log, Principal } from '@slipway/auth/contract';

export const region = 'us-east-1';
export const account = '000000000000';

/** Two callers; the second one is for trying to act for the first. */
export const principals: Readonly<Record<string, Principal>> = {
  AKIAAGENTONE00000001: { type: 'user', account, arn: `arn:aws:iam::${account}:user/one`, id: 'AIDAONE' },
  AKIAAGENTTWO00000002: { type: 'user', account, arn: `arn:aws:iam::${account}:user/two`, id: 'AIDATWO' },
};

export const keysOf = (name: 'one' | 'two'): { accessKeyId: string; secretAccessKey: string } => ({
  accessKeyId: name === 'one' ? 'AKIAAGENTONE00000001' : 'AKIAAGENTTWO00000002',
  secretAccessKey: `secret of ${name}`,
});

/** Whom the keys are of. */
export const principalOf = (name: 'one' | 'two'): Principal => principals[keysOf(name).accessKeyId]!;

export const silent: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };
