import { describe, expect, test } from 'vitest';
import { CliError } from '../../cli/errors.ts';
import { diagramsOf, renderPicture } from './picture.ts';
import { type Rehearsal, rehearse } from './rehearse.ts';
import { badImages, chooseScenario, type ScenarioChoice, scenarios } from './scenarios.ts';
import { parseSnapshot, type Snapshot } from './snapshot.ts';
import { takeSnapshot } from './take.ts';
import { smallSnapshot } from './testing.ts';

const options = { servers: 2, seed: 1, within: 30 * 60_000 };
const play = (choice: ScenarioChoice, snapshot: Snapshot = smallSnapshot()): Promise<Rehearsal> =>
  rehearse(snapshot, chooseScenario(snapshot, choice), options);
const outcome = (rehearsal: Rehearsal, name: string): Rehearsal['services'][number] =>
  rehearsal.services.find((service) => service.name === name)!;

describe('what would happen', () => {
  test('a zone lost: its tasks are missed until they are replaced elsewhere, and everything is whole in the end', async () => {
    const rehearsal = await play({ scenario: 'zone-lost', zone: 'zone-1' });
    expect(rehearsal.notes).toEqual([]);
    expect(rehearsal.what).toBe('zone zone-1 is lost: 2 hosts with 6 tasks');
    expect(rehearsal.kept).toBe(false);
    // Four of six are over the half that web wants at least; api had both of its tasks there.
    expect(outcome(rehearsal, 'web')).toMatchObject({
      desired: 6,
      minimum: 3,
      lowest: 4,
      below: 0,
      rollout: 'COMPLETED',
    });
    expect(outcome(rehearsal, 'api')).toMatchObject({ desired: 2, minimum: 2, lowest: 0 });
    // Tasks of a lost host are replaced after five minutes, and what has no check counts after 40 seconds.
    expect(outcome(rehearsal, 'api').below).toBeGreaterThan(5.5 * 60_000);
    expect(outcome(rehearsal, 'api').below).toBeLessThan(6.5 * 60_000);
    expect(rehearsal.moments.some(({ hosts, tasks }) => hosts.away === 2 && tasks['on lost hosts'] > 0)).toBe(true);
    expect(rehearsal.moments.at(-1)).toMatchObject({ hosts: { active: 6 }, healthy: { web: 6, api: 2, log: 6 } });
  });

  test('a bad push: what ran stays, the breaker rolls back', async () => {
    const rehearsal = await play({ scenario: 'bad-push', service: 'web' });
    expect(rehearsal.kept).toBe(true);
    expect(outcome(rehearsal, 'web')).toMatchObject({ lowest: 6, rollout: 'COMPLETED, rolled back' });
    expect(rehearsal.timeline.map(({ what }) => what).join('\n')).toMatch(/deployment failed[^]*rolling back/);
  });

  test('a bad push for a service without a breaker is tried again and again, and told so', async () => {
    const rehearsal = await play({ scenario: 'bad-push', service: 'api', image: 'missing' });
    expect(rehearsal.what).toContain('and the service is updated');
    expect(outcome(rehearsal, 'api')).toMatchObject({ lowest: 2, below: 0, rollout: 'IN_PROGRESS' });
    expect(rehearsal.timeline.at(-1)?.what).toMatch(
      /the time that was to be played is over, and api is still rolling out/,
    );
  });

  test('the store gone for a minute stops nothing that runs', async () => {
    const rehearsal = await play({ scenario: 'redis-gone' });
    expect(rehearsal.kept).toBe(true);
    expect(rehearsal.services.map(({ lowest, desired }) => lowest === desired)).toEqual([true, true, true]);
    expect(rehearsal.moments.at(-1)!.at).toBeGreaterThan(60_000);
  });

  test('a drained host: every task finds a place first', async () => {
    const rehearsal = await play({ scenario: 'drain-host', host: 'host-1' });
    expect(outcome(rehearsal, 'api')).toMatchObject({ lowest: 2, below: 0 });
    expect(rehearsal.moments.at(-1)).toMatchObject({ hosts: { draining: 1, active: 5 } });
  });

  test('what finds no room is named with the reason', async () => {
    const small = smallSnapshot();
    const here = (id: string): number => small.tasks.filter(({ instance }) => instance === id).length;
    const full = smallSnapshot({ instances: small.instances.map((one) => ({ ...one, cpu: 128 * here(one.id) })) });
    const rehearsal = await play({ scenario: 'host-lost', host: 'host-1', lasts: 7 * 60_000 }, full);
    expect(rehearsal.timeline.find(({ who, what }) => who === 'api' && /unable to place/.test(what))?.what).toMatch(
      /CPU/,
    );
    expect(outcome(rehearsal, 'api').wholeAfter).toBeGreaterThan(7 * 60_000);
  });

  test('the same snapshot and seed give the same result', async () => {
    const choice = { scenario: 'host-lost', lasts: 60_000 };
    expect(JSON.stringify(await play(choice))).toBe(JSON.stringify(await play(choice)));
  });
});

describe('the picture', () => {
  test('shows what was played: every point is a moment of the run, and the lines lie where the numbers are', async () => {
    const snapshot = smallSnapshot();
    const odd = '<&">zone\u0007';
    const renamed = {
      ...snapshot,
      instances: snapshot.instances.map((one) =>
        one.attributes['ecs.availability-zone'] === 'zone-1'
          ? { ...one, attributes: { ...one.attributes, 'ecs.availability-zone': odd } }
          : one,
      ),
    };
    const rehearsal = await play({ scenario: 'zone-lost', zone: odd }, renamed);
    const [tasks, services, hosts] = diagramsOf(rehearsal);
    const at = new Map(rehearsal.moments.map((moment) => [moment.at, moment]));
    for (const { name, points } of tasks!.courses)
      for (const [time, value] of points) expect(at.get(time)?.tasks[name as 'running']).toBe(value);
    for (const { name, points } of services!.courses)
      for (const [time, value] of points)
        expect(at.get(time)!.healthy[name]! / outcome(rehearsal, name).desired).toBeCloseTo(value / 100);
    for (const { name, points } of hosts!.courses)
      for (const [time, value] of points) expect(at.get(time)?.hosts[name as 'active']).toBe(value);
    const svg = renderPicture(rehearsal);
    expect(wellFormed(svg)).toBe('svg');
    expect(svg).toContain('&lt;&amp;&quot;&gt;zone\ufffd');
    // Read back from the drawing: the lowest point of api's line is what the run says.
    const [, most = '', path = ''] = /data-course="api" data-most="([\d.]+)"[^>]* d="([^"]+)"/.exec(svg) ?? [];
    const heights = [...path.matchAll(/[,V]([\d.]+)/g)].map(([, y]) => Number(y));
    const bottom = 70 + 2 * 240 - 25;
    const drawn = Math.min(...heights.map((y) => ((bottom - y) / 160) * Number(most)));
    expect(drawn).toBeCloseTo((outcome(rehearsal, 'api').lowest / 2) * 100, 0);
  });
});

describe('snapshots', () => {
  const text = (change: object): string => JSON.stringify({ ...smallSnapshot(), ...change });
  test('what was written is read', () => {
    expect(parseSnapshot('it', text({}))).toEqual(smallSnapshot());
  });
  test.each([
    ['half a file', '{', /it is not a snapshot that can be played: .*JSON/],
    ['a list', '[]', /the whole: /],
    ['another format', text({ format: 'other' }), /format: /],
    ['what it does not know', text({ secret: 1 }), /the whole: .*secret/],
    [
      'a service without its definition',
      text({ services: [{ ...smallSnapshot().services[0], definition: 'gone:1' }] }),
      /task definition gone:1, which is not there/,
    ],
    [
      'a task on no instance',
      text({ tasks: [{ id: 'a', instance: 'nowhere', definition: 'web:7' }] }),
      /on the instance nowhere, which is not there/,
    ],
    [
      'an instance twice',
      text({ instances: [smallSnapshot().instances[0], smallSnapshot().instances[0]] }),
      /instances has host-1 twice/,
    ],
    ['a negative size', text({ instances: [{ ...smallSnapshot().instances[0], cpu: -1 }] }), /instances\.0\.cpu: /],
  ])('refuses %s', (_, written, message) => {
    expect(() => parseSnapshot('it', written)).toThrow(message);
    expect(() => parseSnapshot('it', written)).toThrow(CliError);
  });
  test('what the control plane itself would refuse is named', async () => {
    const [service] = smallSnapshot().services;
    const wrong = smallSnapshot({
      services: [{ ...service!, constraints: [{ type: 'memberOf', expression: 'attribute:' }] }],
    });
    const tasks = wrong.tasks.filter((task) => task.service === 'web');
    await expect(play({ scenario: 'redis-gone' }, { ...wrong, tasks })).rejects.toThrow(
      /the snapshot's web would be refused/,
    );
  });
});

test('a task with an address of its own takes no port of its host, and one that stops is left out', async () => {
  const arn = (kind: string, id: string): string => `arn:aws:ecs:us-east-1:000000000000:${kind}/${id}`;
  const task = (id: string, desiredStatus: string): object => ({
    taskArn: arn('task', `default/${id}`),
    containerInstanceArn: arn('container-instance', 'default/i'),
    taskDefinitionArn: arn('task-definition', 'web:1'),
    desiredStatus,
    group: 'service:gone',
  });
  const container = { name: 'app', image: 'web', portMappings: [{ containerPort: 80, hostPort: 80 }] };
  const answers: Readonly<Record<string, object>> = {
    ListContainerInstancesCommand: { containerInstanceArns: [arn('container-instance', 'default/i')] },
    DescribeContainerInstancesCommand: {
      containerInstances: [{ containerInstanceArn: arn('container-instance', 'default/i'), status: 'ACTIVE' }],
    },
    ListServicesCommand: {},
    ListTasksCommand: { taskArns: ['a'] },
    DescribeTasksCommand: { tasks: [task('t', 'RUNNING'), task('u', 'STOPPED')] },
    DescribeTaskDefinitionCommand: {
      taskDefinition: {
        taskDefinitionArn: arn('task-definition', 'web:1'),
        networkMode: 'awsvpc',
        containerDefinitions: [container],
      },
    },
  };
  const send = (command: object): Promise<unknown> => Promise.resolve(answers[command.constructor.name]);
  const taken = await takeSnapshot({ send } as never, 'default');
  expect(new Set(taken.tasks.map(({ id }) => id))).toEqual(new Set(['t']));
  expect(taken.tasks[0]).not.toHaveProperty('service');
  expect(taken.definitions).toMatchObject([
    { networkMode: 'bridge', containers: [{ ports: [{ containerPort: 80, hostPort: 0 }] }] },
  ]);
});

test('choices that there are not are refused with those that there are', () => {
  const choose = (choice: ScenarioChoice) => () => chooseScenario(smallSnapshot(), choice);
  expect(choose({ scenario: 'flood' })).toThrow(
    `there is no scenario 'flood'; there are ${Object.keys(scenarios).join(', ')}`,
  );
  expect(choose({ scenario: 'zone-lost', zone: 'z' })).toThrow("no zone 'z'; it has zone-1, zone-2, zone-3");
  expect(choose({ scenario: 'bad-push', image: 'toString' })).toThrow(Object.keys(badImages).join(', '));
  expect(choose({ scenario: 'bad-push', service: 'api', image: 'unhealthy' })).toThrow('has no health check');
  expect(() => chooseScenario(smallSnapshot({ instances: [], tasks: [] }), { scenario: 'host-lost' })).toThrow(
    'the snapshot has no host',
  );
});

/** The name of a document's root. @throws when it is not well-formed XML of elements, attributes and text */
function wellFormed(document: string): string {
  const open: string[] = [];
  let root = '';
  let rest = document.trim();
  while (rest !== '') {
    const [all = '', text = '', close, name, attributes = '', empty] =
      /^([^<]*)(?:<\/([\w-]+)>|<([\w-]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/)?>)/.exec(rest) ?? [];
    if (all === '') throw new Error(`not XML: ${rest.slice(0, 80)}`);
    if (/&(?!(?:lt|gt|amp|quot);)/.test(text + attributes) || text.includes('>'))
      throw new Error(`not escaped: ${all}`);
    if (close !== undefined && open.pop() !== close) throw new Error(`${close} was not open`);
    if (name !== undefined && root === '') root = name;
    if (name !== undefined && empty === undefined) open.push(name);
    if (open.length === 0 && rest.length > all.length) throw new Error('more than one root');
    rest = rest.slice(all.length);
  }
  if (open.length > 0) throw new Error(`${open.join(', ')} not closed`);
  return root;
}
