import { expect } from 'vitest';
import { type Shape, shell, waiting, web } from './shape.ts';

const at = (sourceVolume: string, containerPath: string, readOnly?: boolean) =>
  readOnly === undefined ? { sourceVolume, containerPath } : { sourceVolume, containerPath, readOnly };

/** Volumes of each kind that hosts have. */
export const volumeShapes: readonly Shape[] = [
  {
    name: 'log-shipper-beside-the-web',
    sample: true,
    input: {
      containerDefinitions: [
        shell('app', `echo line > /var/log/app.log; ${waiting}`, { mountPoints: [at('logs', '/var/log')] }),
        shell('shipper', waiting, {
          essential: false,
          volumesFrom: [{ sourceContainer: 'app', readOnly: true }],
          dependsOn: [{ containerName: 'app', condition: 'START' }],
        }),
      ],
      volumes: [{ name: 'logs' }],
    },
    reads: { task: { volumes: [{ name: 'logs', host: {} }] } },
    does: async (task) => {
      await task.running();
      await task.until('shipper', 'busybox cat /var/log/app.log', /^line$/);
      expect(await task.inside('shipper', 'echo more >> /var/log/app.log')).toMatch(/[Rr]ead-only/);
    },
  },
  {
    name: 'volume-of-the-task',
    input: {
      containerDefinitions: [web({ mountPoints: [at('data', '/data', false)] })],
      volumes: [{ name: 'data', dockerVolumeConfiguration: { driver: 'local', labels: { backup: 'no' } } }],
    },
    reads: {
      task: {
        volumes: [
          { name: 'data', dockerVolumeConfiguration: { scope: 'task', driver: 'local', labels: { backup: 'no' } } },
        ],
      },
    },
    does: async (task) => {
      await task.running();
      expect(await task.inside('web', 'echo kept > /data/x && busybox cat /data/x')).toBe('kept');
    },
  },
  {
    name: 'volume-that-tasks-share',
    sample: true,
    input: {
      containerDefinitions: [web({ mountPoints: [at('pgdata', '/var/lib/data')] })],
      volumes: [
        { name: 'pgdata', dockerVolumeConfiguration: { scope: 'shared', autoprovision: true, driver: 'local' } },
      ],
    },
    does: async (task) => {
      await task.running();
      expect(await task.inside('web', 'echo kept >> /var/lib/data/x && busybox cat /var/lib/data/x')).toContain('kept');
    },
  },
  {
    name: 'folder-of-the-host',
    input: {
      containerDefinitions: [web({ mountPoints: [at('zones', '/zones', true)] })],
      volumes: [{ name: 'zones', host: { sourcePath: '/usr/share/zoneinfo' } }],
    },
    does: async (task) => {
      await task.running();
      expect(await task.inside('web', 'echo x > /zones/x')).toMatch(/[Rr]ead-only/);
    },
  },
  {
    name: 'one-volume-in-two-places',
    input: {
      containerDefinitions: [
        shell('writer', `echo both > /out/x; ${waiting}`, { mountPoints: [at('shared', '/out')] }),
        shell('reader', waiting, { mountPoints: [at('shared', '/in', true), at('shared', '/again', true)] }),
      ],
      volumes: [{ name: 'shared', host: {} }],
    },
    does: async (task) => {
      await task.running();
      await task.until('reader', 'busybox cat /in/x /again/x', /^both\nboth$/);
    },
  },
];
