import { expect, it, describe, test } from 'vitest';
import { eventOfHost, eventsOfImage, eventsOfService, eventsOfTask, inOrder } from './event-shapes.ts';
import { Follow } from './events.ts';

const at = (second: number): Date => new Date(Date.UTC(2026, 10, 30, 12, 0, second));
const serviceArn = 'arn:aws:ecs:us-east-1:000000000000:service/default/web';
const clusterArn = 'arn:aws:ecs:us-east-1:000000000000:cluster/default';
const said = (message: string) =>
  eventsOfService(
    {
      serviceArn,
      serviceName: 'web',
      clusterArn,
      events: [{ id: '1', message: `(service web) ${message}`, createdAt: at(1) }],
    },
    [],
  );

describe('what a service says', () => {
  it('is an event as EventBridge has it', () => {
    expect(said('has reached a steady state.')).toEqual([
      {
        event: {
          version: '0',
          id: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
          'detail-type': 'ECS Service Action',
          source: 'aws.ecs',
          account: '000000000000',
          time: '2026-11-30T12:00:01Z',
          region: 'us-east-1',
          resources: [serviceArn],
          detail: {
            eventType: 'INFO',
            eventName: 'SERVICE_STEADY_STATE',
            clusterArn,
            createdAt: '2026-11-30T12:00:01.000Z',
          },
        },
        at: at(1).getTime(),
        level: 'INFO',
        subject: 'web',
        words: 'has reached a steady state.',
      },
    ]);
  });

  it.each([
    ['has started 2 tasks: (task a) (task b).', 'INFO', undefined],
    ['was unable to place a task because no container instance met all', 'ERROR', 'SERVICE_TASK_PLACEMENT_FAILURE'],
    ['is unable to consistently start tasks successfully.', 'WARN', 'SERVICE_TASK_START_IMPAIRED'],
    ['(deployment x) deployment failed: why.', 'ERROR', undefined],
    ['(task a) failed container health checks.', 'WARN', undefined],
    ['registered 1 targets in (target-group g)', 'INFO', undefined],
  ])('%s', (message, level, eventName) => {
    const [one] = said(message);
    expect([one?.level, one?.event.detail['eventType'], one?.event.detail['eventName']]).toEqual([
      level,
      level,
      eventName,
    ]);
  });
});

test('a deployment begins, and ends well or not', () => {
  const of = (status: 'SUCCESSFUL' | 'ROLLBACK_SUCCESSFUL') =>
    eventsOfService({ serviceArn, serviceName: 'web' }, [
      { targetServiceRevisionArn: 'a/d', createdAt: at(1), finishedAt: at(2), status, statusReason: 'why' },
    ]).map(({ level, words, event }) => [level, event.detail['eventName'], words]);
  expect(of('SUCCESSFUL')).toEqual([
    ['INFO', 'SERVICE_DEPLOYMENT_IN_PROGRESS', 'ECS deployment ecs-svc/d in progress.'],
    ['INFO', 'SERVICE_DEPLOYMENT_COMPLETED', 'ECS deployment ecs-svc/d completed.'],
  ]);
  expect(of('ROLLBACK_SUCCESSFUL')[1]).toEqual([
    'ERROR',
    'SERVICE_DEPLOYMENT_FAILED',
    'ECS deployment ecs-svc/d ended ROLLBACK_SUCCESSFUL: why',
  ]);
});

test('a task comes through its states', () => {
  const events = eventsOfTask({
    taskArn: 'arn:aws:ecs:us-east-1:0:task/default/0123456789abcdef',
    taskDefinitionArn: 'a/web:3',
    group: 'service:web',
    lastStatus: 'STOPPED',
    createdAt: at(1),
    startedAt: at(2),
    stoppedAt: at(3),
    stopCode: 'EssentialContainerExited',
    stoppedReason: 'Essential container in task exited',
    containers: [{ name: 'web', exitCode: 1, lastStatus: 'STOPPED' }],
  });
  expect(events.map(({ level, words, event }) => [level, event.detail['lastStatus'], words])).toEqual([
    ['INFO', 'PENDING', 'task of web:3 is PENDING'],
    ['INFO', 'RUNNING', 'task is RUNNING on '],
    ['ERROR', 'STOPPED', 'task is STOPPED: Essential container in task exited; web: exit 1'],
  ]);
  expect(events[0]?.subject).toBe('web/0123456789ab');
  expect(events[2]?.event.detail).toMatchObject({
    stopCode: 'EssentialContainerExited',
    containers: [{ exitCode: 1 }],
  });
});

test('an image is pushed and scanned', () => {
  const [pushed, scanned] = eventsOfImage(
    {
      repositoryName: 'web',
      registryId: '0',
      imageTags: ['prod'],
      imageDigest: `sha256:${'a'.repeat(64)}`,
      imagePushedAt: at(1),
      imageScanStatus: { status: 'COMPLETE' },
      imageScanFindingsSummary: { imageScanCompletedAt: at(2), findingSeverityCounts: { HIGH: 1 } },
    },
    'us-east-1',
  );
  expect(pushed).toMatchObject({
    subject: 'web:prod',
    event: {
      source: 'aws.ecr',
      detail: { 'action-type': 'PUSH', 'image-tag': 'prod' },
    },
  });
  expect(scanned).toMatchObject({
    level: 'WARN',
    words: 'scanned: 1 HIGH',
    event: { 'detail-type': 'ECR Image Scan' },
  });
});

test('a host that is away is told as a warning', () => {
  const host = {
    containerInstanceArn: 'a:b:ecs:r:0:c/default/0123456789abcdef',
    status: 'ACTIVE',
    agentConnected: true,
  };
  expect(eventOfHost(host, at(1))).toMatchObject({
    level: 'INFO',
    subject: '0123456789ab',
    words: 'host is ACTIVE, its agent connected',
  });
  expect(eventOfHost({ ...host, agentConnected: false }, at(1)).level).toBe('WARN');
});

test('each event is told once, from a time on, oldest first', () => {
  const event = (second: number, id = String(second)) => {
    const [one] = said(id);
    if (one === undefined) throw new Error('no event');
    return { ...one, at: at(second).getTime(), event: { ...one.event, id } };
  };
  const follow = new Follow(at(2).getTime());
  expect(follow.news([event(3), event(1), event(2)]).map(({ event: { id } }) => id)).toEqual(['2', '3']);
  expect(follow.news([event(3), event(5), event(4)]).map(({ event: { id } }) => id)).toEqual(['4', '5']);
  expect(inOrder([event(1, 'b'), event(1, 'a')]).map(({ event: { id } }) => id)).toEqual(['b', 'a']);
});
