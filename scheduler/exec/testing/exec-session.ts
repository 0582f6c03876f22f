import type { ExecSessionRecord } from '../../state/index.ts';

const account = '000000000000';

/** A session as its row has it. */
export const execSession = (more: Pick<ExecSessionRecord, 'command' | 'interactive'>): ExecSessionRecord => ({
  id: 'ecs-execute-command-0123456789abcdefg',
  taskId: 'ab'.repeat(16),
  containerName: 'main',
  runtimeId: 'cd'.repeat(32),
  instanceId: 'ef'.repeat(16),
  principal: { type: 'user', account, arn: `arn:aws:iam::${account}:user/ann`, id: 'AIDAANN' },
  createdAt: 0,
  ...more,
});
