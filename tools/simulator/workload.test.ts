import { describe, expect, test } from 'vitest';
import { generateMix, parseWorkload, WorkloadError } from './workload.ts';

describe('a workload is read', () => {
  test('from arrivals and departures, in order of arrival', () => {
    const csv = 'arrival,departure,cpu,memory,group,distinct\n10,,512,1024,api,true\r\n0,7200,1024,2048,web,\n\n';
    expect(
      parseWorkload(csv).map(({ id, arrival, departure, group, distinct }) => [
        id,
        arrival,
        departure,
        group,
        distinct,
      ]),
    ).toEqual([
      ['line-3', 0, 7200, 'web', false],
      ['line-2', 10, Infinity, 'api', true],
    ]);
  });

  test('from the pods of the Alibaba trace of 2023', () => {
    const csv =
      'name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time\n' +
      'openb-pod-0000,12000,16384,1,1000,,LS,Running,0,12537496,0\n';
    expect(parseWorkload(csv)).toEqual([
      {
        id: 'openb-pod-0000',
        group: 'LS',
        arrival: 0,
        departure: 12_537_496,
        shape: { cpu: 12_288, memory: 16_384, gpus: 1, tcpPorts: [], udpPorts: [], requires: [] },
        distinct: false,
      },
    ]);
  });

  test('from the Alibaba trace of 2025, whose times may be missing', () => {
    const csv =
      'instance_sn,role,app_name,cpu_request,cpu_limit,gpu_request,gpu_limit,memory_request,max_instance_per_node,creation_time,scheduled_time,deletion_time\n' +
      'instance_0,HN,app_1,8,8,1,1,60.5,1,,,\n';
    expect(parseWorkload(csv)).toMatchObject([
      {
        id: 'instance_0',
        group: 'app_1',
        arrival: 0,
        departure: Infinity,
        distinct: true,
        shape: { cpu: 8192, memory: 61_952, gpus: 1 },
      },
    ]);
  });

  test.each([
    ['', 1, 'none of the known formats'],
    ['a,b\n1,2', 1, 'none of the known formats'],
    ['arrival,departure,cpu,memory\n1,2,3', 2, 'has 3 columns, the header 4'],
    ['arrival,departure,cpu,memory\n1,2,3,4\n5,,many,4', 3, 'cpu is "many"'],
    ['arrival,departure,cpu,memory\n5,2,3,4', 2, 'before it arrives'],
    ['arrival,departure,cpu,memory\n5,,-3,4', 2, 'cpu is "-3"'],
  ])('%j is refused with the line', (csv, line, problem) => {
    let caught: unknown;
    try {
      parseWorkload(csv);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(WorkloadError);
    expect((caught as WorkloadError).line).toBe(line);
    expect((caught as WorkloadError).message).toContain(problem);
  });
});

test('a mix is the same for the same seed, and holds as many tasks as asked in the mean', () => {
  const options = { seed: 7, tasks: 500, lifetime: 3600, duration: 36_000 };
  const mix = generateMix(options);
  expect(generateMix(options)).toEqual(mix);
  expect(generateMix({ ...options, seed: 8 })).not.toEqual(mix);
  const running = mix.filter(({ arrival, departure }) => arrival <= 30_000 && departure > 30_000).length;
  expect(running).toBeGreaterThan(400);
  expect(running).toBeLessThan(600);
});
