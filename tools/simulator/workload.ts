/** Workloads: tasks that arrive and depart, read from CSV or made up from a seed. Times are seconds. */
import { seededRandom, type TaskShape } from '@slipway/scheduler/placement';

export interface WorkloadTask {
  readonly id: string;
  readonly group: string;
  readonly arrival: number;
  /** Infinity when it stays. */
  readonly departure: number;
  readonly shape: TaskShape;
  /** At most one task of its group on an instance. */
  readonly distinct: boolean;
}

/** A file that cannot be read as a workload. `line` counts from 1. */
export class WorkloadError extends Error {
  override readonly name = 'WorkloadError';
  readonly line: number;

  constructor(line: number, message: string) {
    super(`line ${line}: ${message}`);
    this.line = line;
  }
}

type Row = ReadonlyMap<string, string>;

/**
 * The formats, told apart by their column names:
 * - `arrival,departure,cpu,memory` and optionally `id,group,gpus,distinct`: seconds, CPU units, MiB; an empty departure stays.
 * - Alibaba cluster-trace-gpu-v2023 (`openb_pod_list_*.csv`): thousandths of a CPU, MiB, whole GPUs of those that share one.
 * - Alibaba cluster-trace-gpu-v2025 (`disaggregated_DLRM_trace.csv`): CPUs, GiB; `max_instance_per_node` 1 is `distinct`.
 */
const formats: readonly {
  readonly columns: readonly string[];
  readonly read: (row: Row, line: number) => WorkloadTask;
}[] = [
  { columns: ['arrival', 'departure', 'cpu', 'memory'], read: readPlain },
  { columns: ['cpu_milli', 'memory_mib', 'num_gpu', 'creation_time', 'deletion_time'], read: readOpenb },
  { columns: ['app_name', 'cpu_request', 'memory_request', 'creation_time', 'deletion_time'], read: readDlrm },
];

/** Reads a workload, in order of arrival. Throws `WorkloadError` with the line that is wrong. */
export function parseWorkload(csv: string): readonly WorkloadTask[] {
  const lines = csv.split(/\r?\n/);
  const header = (lines[0] ?? '')
    .replace(/^\uFEFF/, '')
    .split(',')
    .map((name) => name.trim());
  const format = formats.find(({ columns }) => columns.every((column) => header.includes(column)));
  if (format === undefined) {
    const known = formats.map(({ columns }) => columns.join(',')).join(' | ');
    throw new WorkloadError(1, `the columns are none of the known formats (${known})`);
  }
  const tasks: WorkloadTask[] = [];
  for (const [index, line] of lines.entries()) {
    if (index === 0 || line.trim() === '') continue;
    const cells = line.split(',');
    if (cells.length !== header.length) {
      throw new WorkloadError(index + 1, `has ${cells.length} columns, the header ${header.length}`);
    }
    tasks.push(format.read(new Map(header.map((name, column) => [name, cells[column]!.trim()])), index + 1));
  }
  return tasks.sort((left, right) => left.arrival - right.arrival);
}

function readPlain(row: Row, line: number): WorkloadTask {
  const id = row.get('id') ?? `line-${line}`;
  const arrival = amount(row, 'arrival', line);
  const departure = row.get('departure') === '' ? Infinity : amount(row, 'departure', line);
  if (departure < arrival) throw new WorkloadError(line, `departs at ${departure}, before it arrives at ${arrival}`);
  return {
    id,
    group: row.get('group') ?? 'tasks',
    arrival,
    departure,
    shape: shapeOf(
      amount(row, 'cpu', line),
      amount(row, 'memory', line),
      row.has('gpus') ? amount(row, 'gpus', line) : 0,
    ),
    distinct: row.get('distinct') === 'true',
  };
}

function readOpenb(row: Row, line: number): WorkloadTask {
  const cpu = (amount(row, 'cpu_milli', line) / 1000) * 1024;
  return {
    id: row.get('name') ?? `line-${line}`,
    group: row.get('qos') ?? 'pods',
    arrival: amount(row, 'creation_time', line),
    departure: row.get('deletion_time') === '' ? Infinity : amount(row, 'deletion_time', line),
    shape: shapeOf(cpu, amount(row, 'memory_mib', line), amount(row, 'num_gpu', line)),
    distinct: false,
  };
}

function readDlrm(row: Row, line: number): WorkloadTask {
  const optional = (name: string, otherwise: number): number =>
    (row.get(name) ?? '') === '' ? otherwise : amount(row, name, line);
  return {
    id: row.get('instance_sn') ?? `line-${line}`,
    group: row.get('app_name')!,
    arrival: optional('creation_time', 0),
    departure: optional('deletion_time', Infinity),
    shape: shapeOf(
      amount(row, 'cpu_request', line) * 1024,
      amount(row, 'memory_request', line) * 1024,
      optional('gpu_request', 0),
    ),
    distinct: row.get('max_instance_per_node') === '1',
  };
}

function amount(row: Row, column: string, line: number): number {
  const text = row.get(column) ?? '';
  const value = Number(text);
  if (text === '' || !Number.isFinite(value) || value < 0) {
    throw new WorkloadError(line, `${column} is "${text}", not a number from 0`);
  }
  return value;
}

function shapeOf(cpu: number, memory: number, gpus: number): TaskShape {
  return {
    cpu: Math.ceil(cpu),
    memory: Math.ceil(memory),
    gpus: Math.ceil(gpus),
    tcpPorts: [],
    udpPorts: [],
    requires: [],
  };
}

export interface MixOptions {
  readonly seed: number;
  /** Mean number of tasks that run at a time. */
  readonly tasks: number;
  /** Seconds a task lives in the mean (exponential). */
  readonly lifetime: number;
  /** Seconds the workload lasts. It starts full. */
  readonly duration: number;
  /** How many services the tasks belong to. Default 40. */
  readonly services?: number;
}

/** Shapes as ECS services have them: 0.25 to 4 vCPU, 1 to 8 GiB a vCPU, small ones more often. */
const vcpus = [0.25, 0.25, 0.25, 0.5, 0.5, 0.5, 1, 1, 2, 4];
const gibibytes = [1, 2, 2, 4, 4, 8];

/** A mix of services with tasks that come and go at a constant rate, in order of arrival. */
export function generateMix({ seed, tasks, lifetime, duration, services = 40 }: MixOptions): readonly WorkloadTask[] {
  const random = seededRandom(seed);
  const one = (from: readonly number[]): number => from[Math.floor(random() * from.length)]!;
  const exponential = (mean: number): number => -Math.log(1 - random()) * mean;
  const shapes = Array.from({ length: services }, () => {
    const cpu = one(vcpus);
    return shapeOf(cpu * 1024, Math.max(512, cpu * one(gibibytes) * 1024), 0);
  });
  const made: WorkloadTask[] = [];
  const add = (arrival: number): void => {
    const service = Math.floor(random() * services);
    const departure = arrival + exponential(lifetime);
    made.push({
      id: `task-${made.length}`,
      group: `service:${service}`,
      arrival,
      departure,
      shape: shapes[service]!,
      distinct: false,
    });
  };
  for (let task = 0; task < tasks; task++) add(0);
  for (let time = exponential(lifetime / tasks); time < duration; time += exponential(lifetime / tasks)) add(time);
  return made;
}
