import { describe, expect, test } from 'vitest';
import { ClusterQueryError, compileQuery, type InstanceView, parseClusterQuery } from './index.ts';

const instance: InstanceView = {
  agentConnected: true,
  agentVersion: '1.14.5',
  ec2InstanceId: 'i-abcd1234',
  registeredAt: Date.parse('2018-06-18T22:28:28Z'),
  runningTasksCount: 1,
  attributes: new Map([
    ['ecs.instance-type', 'g2.2xlarge'],
    ['ecs.availability-zone', 'us-east-1a'],
    ['stack', 'prod'],
    ['disks', '12'],
    ['com.amazonaws.ecs.capability.docker-remote-api.1.21', ''],
  ]),
  taskGroups: ['service:production', 'family:batch'],
};

const holds = (expression: string): boolean => compileQuery(expression)(instance);

describe('the examples of the ECS page', () => {
  test.each([
    ['attribute:ecs.instance-type == t2.small', false],
    ['attribute:ecs.availability-zone in [us-east-1a, us-east-1b]', true],
    ['attribute:ecs.instance-type =~ g2.* and attribute:ecs.availability-zone != us-east-1d', true],
    ['task:group == service:production', true],
    ['not(task:group == database)', true],
    ['runningTasksCount == 1', true],
    ['agentVersion < 1.14.5', false],
    ['registeredAt < 2018-02-13', false],
    ['registeredAt == 2018-06-18T22:28:28+00:00', true],
    ["ec2InstanceId in ['i-abcd1234', 'i-wxyx7890']", true],
    ['agentConnected == true', true],
  ])('%s is %s', (expression, expected) => {
    expect(holds(expression)).toBe(expected);
  });
});

describe('operators', () => {
  test.each([
    ['attribute:stack equals prod', true],
    ['attribute:stack==prod', true],
    ['attribute:stack not_equals prod', false],
    ['attribute:missing != prod', false],
    ['attribute:missing !in [prod]', false],
    ['attribute:missing !~ p.*', false],
    ['attribute:missing !exists', true],
    ['attribute:missing not_exists', true],
    ['not(attribute:missing == prod)', true],
    ['!(attribute:missing == prod)', true],
    ['not attribute:stack exists', false],
    ['attribute:com.amazonaws.ecs.capability.docker-remote-api.1.21 exists', true],
    ['attribute:stack not_in [a, b]', true],
    ['attribute:stack !in [a, prod]', false],
    ['attribute:stack matches pr', false],
    ['attribute:stack =~ "(prod|test)"', true],
    ['attribute:stack not_matches "t.*"', true],
    ['attribute:disks > 9', true],
    ['attribute:disks greater_than_equal 12', true],
    ['attribute:stack less_than qa', true],
    ['agentVersion >= 1.9', true],
    ['agentVersion == 1.14.5.0', true],
    ['registeredAt > 2018-06-18T22:28:28-01:00', false],
    ['runningTasksCount <= 0', false],
    ['task:group != database', true],
    ['task:group != service:production', false],
    ['task:group =~ family:.*', true],
    ['task:group !exists', false],
    ['agentConnected != true', false],
  ])('%s is %s', (expression, expected) => {
    expect(holds(expression)).toBe(expected);
  });

  test('and binds tighter than or, parentheses tighter than both', () => {
    expect(holds('attribute:stack == prod or attribute:stack == a and attribute:stack == b')).toBe(true);
    expect(holds('(attribute:stack == prod or attribute:stack == a) and attribute:stack == b')).toBe(false);
    expect(holds('attribute:stack == a || attribute:stack == prod && runningTasksCount == 1')).toBe(true);
  });
});

describe('errors point at the character', () => {
  test.each([
    ['', 0, 'expected a subject'],
    ['attribute:', 10, 'the name of an attribute'],
    ['attribute:stack', 15, 'expected an operator'],
    ['attribute:stack = prod', 16, 'expected an operator'],
    ['attribute:stack ==', 18, 'expected a value'],
    ['attribute:stack == prod extra', 24, 'expected "and", "or" or the end'],
    ['attribute:stack in prod', 19, 'expected "["'],
    ['attribute:stack in [prod', 24, 'expected "," or "]"'],
    ['(attribute:stack == prod', 24, 'expected ")"'],
    ['attribute:stack == prod)', 23, 'expected "and", "or" or the end'],
    ["attribute:stack == 'prod", 19, 'never closed'],
    ['stack == prod', 0, 'expected a subject'],
    ['agentVersion =~ 1.*', 13, 'takes == != > >= < <='],
    ['runningTasksCount == many', 21, 'whole number'],
    ['registeredAt < yesterday', 15, 'date'],
    ['agentVersion < latest', 15, 'version'],
    ['agentConnected == yes', 18, 'true or false'],
    ['attribute:stack =~ "a(b"', 21, 'never closed'],
    ['attribute:stack =~ (?=a)', 19, 'expected a value'],
    ['attribute:stack == prod and', 27, 'expected a subject'],
  ])('%s', (expression, position, problem) => {
    let caught: unknown;
    try {
      parseClusterQuery(expression);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(ClusterQueryError);
    const error = caught as ClusterQueryError;
    expect({ position: error.position, message: error.message }).toEqual({
      position,
      message: expect.stringContaining(problem) as string,
    });
    expect(error.pointer.split('\n')[1]).toBe(`${' '.repeat(position)}^`);
  });

  test('an expression is at most 2000 characters, and nests at most 200 deep', () => {
    expect(() => parseClusterQuery(`attribute:a == ${'b'.repeat(2000)}`)).toThrow('at most 2000 characters');
    expect(() => parseClusterQuery(`${'('.repeat(300)}attribute:a exists${')'.repeat(300)}`)).toThrow('200 deep');
  });

  test('a pattern that would take a backtracking engine for ever is answered at once', () => {
    const evil = compileQuery('attribute:x =~ "(a+)+b"');
    expect(evil({ ...instance, attributes: new Map([['x', 'a'.repeat(128)]]) })).toBe(false);
  });
});
