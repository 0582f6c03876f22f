import { expect } from 'vitest';
import { page, type Shape, shell, waiting, web } from './shape.ts';

/** The container's part of a task that is over. */
const ended = (task: { containers?: { name?: string | undefined; exitCode?: number | undefined }[] | undefined }) =>
  Object.fromEntries((task.containers ?? []).map(({ name, exitCode }) => [name, exitCode]));

/** Tasks that end, wait for each other, or are told to stop. */
export const jobShapes: readonly Shape[] = [
  {
    name: 'job-that-succeeds',
    sample: true,
    input: { containerDefinitions: [shell('job', 'echo done', { essential: true })] },
    does: async (task) => {
      const over = await task.stopped();
      expect(over).toMatchObject({
        stopCode: 'EssentialContainerExited',
        stoppedReason: 'Essential container in task exited',
      });
      expect(ended(over)).toEqual({ job: 0 });
    },
  },
  {
    name: 'job-that-fails',
    input: { containerDefinitions: [shell('job', 'exit 3')] },
    does: async (task) => {
      expect(ended(await task.stopped())).toEqual({ job: 3 });
    },
  },
  {
    name: 'job-with-another-command',
    input: { containerDefinitions: [shell('job', 'exit 1', { environment: [{ name: 'MODE', value: 'never' }] })] },
    overrides: {
      containerOverrides: [
        {
          name: 'job',
          command: ['/bin/sh', '-c', 'test "$MODE" = report && exit 7'],
          environment: [{ name: 'MODE', value: 'report' }],
        },
      ],
    },
    does: async (task) => {
      expect(ended(await task.stopped())).toEqual({ job: 7 });
    },
  },
  {
    name: 'migrations-before-the-web',
    sample: true,
    input: {
      containerDefinitions: [
        shell('migrate', 'echo migrated > /state/done', {
          essential: false,
          mountPoints: [{ sourceVolume: 'state', containerPath: '/state' }],
        }),
        web({
          dependsOn: [{ containerName: 'migrate', condition: 'SUCCESS' }],
          mountPoints: [{ sourceVolume: 'state', containerPath: '/state', readOnly: true }],
        }),
      ],
      volumes: [{ name: 'state', host: {} }],
    },
    does: async (task) => {
      const { containers } = await task.running();
      expect(containers?.find(({ name }) => name === 'migrate')).toMatchObject({ lastStatus: 'STOPPED', exitCode: 0 });
      expect(await task.inside('web', 'busybox cat /state/done; echo x > /state/done')).toMatch(
        /^migrated\n.*[Rr]ead-only/,
      );
    },
  },
  {
    name: 'migrations-that-fail',
    input: {
      containerDefinitions: [
        shell('migrate', 'exit 2', { essential: false }),
        web({ dependsOn: [{ containerName: 'migrate', condition: 'SUCCESS' }] }),
      ],
    },
    does: async (task) => {
      const over = await task.stopped();
      expect(over.stopCode).toBe('TaskFailedToStart');
      expect(ended(over)).toMatchObject({ migrate: 2 });
    },
  },
  {
    name: 'setup-that-may-fail',
    input: {
      containerDefinitions: [
        shell('setup', 'exit 4', { essential: false }),
        web({ dependsOn: [{ containerName: 'setup', condition: 'COMPLETE' }] }),
      ],
    },
    does: async (task) => {
      expect(ended(await task.running())).toMatchObject({ setup: 4 });
    },
  },
  {
    name: 'sidecar-that-ends',
    input: {
      containerDefinitions: [
        web({ dependsOn: [{ containerName: 'helper', condition: 'START' }] }),
        shell('helper', 'exit 0', { essential: false }),
      ],
    },
    does: async (task) => {
      await expect
        .poll(async () => (await task.running()).containers?.find(({ name }) => name === 'helper')?.lastStatus, {
          timeout: 60_000,
        })
        .toBe('STOPPED');
      expect(await task.inside('web', page('http://127.0.0.1:8080/'))).toBe('hello');
    },
  },
  {
    name: 'worker-that-finishes-its-work',
    sample: true,
    input: {
      containerDefinitions: [
        shell(
          'worker',
          'trap "busybox sleep 1; echo finished; exit 0" TERM; while :; do busybox sleep 1 & wait $!; done',
          { stopTimeout: 60 },
        ),
      ],
    },
    does: async (task) => {
      await task.running();
      const over = await task.stop();
      expect(over).toMatchObject({ stopCode: 'UserInitiated' });
      expect(ended(over)).toEqual({ worker: 0 });
      expect(await task.logs('worker')).toContain('finished');
    },
  },
  {
    name: 'worker-that-does-not-listen',
    input: {
      containerDefinitions: [shell('worker', 'trap "" TERM; while :; do busybox sleep 1; done', { stopTimeout: 2 })],
    },
    does: async (task) => {
      await task.running();
      expect(ended(await task.stop())).toEqual({ worker: 137 });
    },
  },
  {
    name: 'worker-that-is-restarted',
    input: {
      containerDefinitions: [
        web(),
        shell('flaky', 'echo again; busybox sleep 1; exit 1', {
          essential: false,
          restartPolicy: { enabled: true, ignoredExitCodes: [0], restartAttemptPeriod: 60 },
        }),
      ],
    },
    does: async (task) => {
      const { containers } = await task.running();
      expect(containers?.find(({ name }) => name === 'flaky')?.lastStatus).toBe('RUNNING');
    },
  },
  {
    name: 'job-for-a-terminal',
    input: {
      containerDefinitions: [
        shell('app', 'test -t 0 && test -t 1 && echo terminal; read line', { interactive: true, pseudoTerminal: true }),
      ],
    },
    does: async (task) => {
      await task.running();
      await expect.poll(() => task.logs('app'), { timeout: 180_000 }).toContain('terminal');
    },
  },
  {
    name: 'job-whose-entry-point-is-its-own',
    input: {
      containerDefinitions: [
        shell('job', '', {
          entryPoint: ['/bin/busybox', 'sh', '-euc'],
          command: ['pwd; test "$(pwd)" = /tmp'],
          workingDirectory: '/tmp',
        }),
      ],
    },
    does: async (task) => {
      expect(ended(await task.stopped())).toEqual({ job: 0 });
    },
  },
  {
    name: 'dependency-that-is-never-healthy',
    input: {
      containerDefinitions: [
        web({ dependsOn: [{ containerName: 'db', condition: 'HEALTHY' }] }),
        shell('db', waiting, {
          essential: false,
          healthCheck: { command: ['CMD-SHELL', 'exit 1'], interval: 5, timeout: 2, retries: 1 },
        }),
      ],
    },
    does: async (task) => {
      expect((await task.stopped()).stopCode).toBe('TaskFailedToStart');
    },
  },
];
