import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { volumeRows, volumesTable } from './volumes.ts';

test('file systems and volumes that outlive their tasks, with who has them and where', () => {
  const task = (id: string, host: string, taskDefinitionArn: string) => ({
    taskArn: `arn:aws:ecs:us-east-1:0:task/default/${id}`,
    containerInstanceArn: `arn:aws:ecs:us-east-1:0:container-instance/default/${host}`,
    taskDefinitionArn,
    group: 'service:web',
  });
  const rows = volumeRows(
    [
      { FileSystemId: 'fs-2', Name: 'shop', NumberOfMountTargets: 2 },
      { FileSystemId: 'fs-1', NumberOfMountTargets: 0 },
    ],
    [task('aaaaaaaaaaaa', 'h1', 'web:1'), ...['b', 'c', 'd'].map((id) => task(id.repeat(12), 'h2', 'web:2'))],
    new Map([
      [
        'web:1',
        [
          { name: 'a', efsVolumeConfiguration: { fileSystemId: 'fs-2' } },
          { name: 'b', efsVolumeConfiguration: { fileSystemId: 'fs-2', rootDirectory: '/x' } },
          { name: 'own', dockerVolumeConfiguration: { scope: 'task' as const } },
          { name: 'scratch', host: {} },
        ],
      ],
      [
        'web:2',
        [
          { name: 'a', efsVolumeConfiguration: { fileSystemId: 'fs-2' } },
          { name: 'pgdata', dockerVolumeConfiguration: { scope: 'shared' as const } },
          { name: 'zones', host: { sourcePath: '/usr/share/zoneinfo' } },
        ],
      ],
    ]),
  );
  expect(rows[1]).toMatchObject({
    kind: 'efs',
    volume: 'fs-2',
    tasks: [{ task: 'aaaaaaaaaaaa', host: 'h1' }, {}, {}, {}],
  });
  expect(
    stripVTControlCharacters(volumesTable(rows))
      .split('\n')
      .map((line) => line.replaceAll(/ {2,}/g, ' | ')),
  ).toEqual([
    'KIND | VOLUME | NAME | TARGETS | USED BY | HOSTS',
    'efs | fs-1 | 0',
    'efs | fs-2 | shop | 2 | web/aaaaaaaa, web/bbbbbbbb, web/cccccccc and 1 more | h1, h2',
    'host | /usr/share/zoneinfo | web/bbbbbbbb, web/cccccccc, web/dddddddd | h2',
    'shared | pgdata | web/bbbbbbbb, web/cccccccc, web/dddddddd | h2',
  ]);
});
