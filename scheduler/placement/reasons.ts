/** Why a request cannot be placed, in the words ECS uses and in one sentence. */
import { type Cluster, removed } from './cluster.ts';
import { contradiction } from './contradiction.ts';
import { cause, type Request } from './request.ts';
import type { Unplaceable } from './types.ts';

/** One cause on one instance. */
interface Finding {
  readonly code: string;
  /** What the closest instance lacks, to finish "The closest matching container-instance X ...". */
  readonly sentence: string;
  /** How far it is from feasible: 0 is next to nothing, 1 is everything that was asked. */
  readonly distance: number;
}

/** Looks at every instance: for the refusal only, so it costs nothing where placement succeeds. */
export function explain(cluster: Cluster, request: Request): Unplaceable {
  const ruledOut: Record<string, number> = {};
  let closest: { readonly slot: number; readonly findings: readonly Finding[]; readonly distance: number } | undefined;
  for (let slot = 0; slot < cluster.slots; slot++) {
    if (cluster.status[slot] === removed) continue;
    const findings = findingsOf(cluster, request, slot);
    for (const code of new Set(findings.map((finding) => finding.code))) ruledOut[code] = (ruledOut[code] ?? 0) + 1;
    // Whole causes weigh more than shortfalls: one cause is closer than two.
    const distance = findings.reduce((sum, finding) => sum + 1 + finding.distance, 0);
    if (closest === undefined || distance < closest.distance) closest = { slot, findings, distance };
  }
  if (closest === undefined) {
    const message =
      'No Container Instances were found in your cluster. Register an instance by starting an agent for this cluster.';
    return { code: 'EMPTY', message, ruledOut, impossible: false, causes: [] };
  }
  const [first] = closest.findings;
  const id = cluster.specs[closest.slot]!.id;
  const never = impossibility(cluster, request);
  const message = `The closest matching container-instance ${id} ${first!.sentence}.`;
  return {
    code: first!.code,
    message: never === undefined ? message : `${message} ${never}`,
    closest: id,
    ruledOut,
    impossible: never !== undefined,
    causes: causesOf(cluster, request),
  };
}

/** Why one instance cannot take the request; undefined when it can. */
export function explainOne(cluster: Cluster, request: Request, slot: number): Unplaceable | undefined {
  const findings = findingsOf(cluster, request, slot);
  const [first] = findings;
  if (first === undefined) return undefined;
  const { id } = cluster.specs[slot]!;
  const ruledOut: Record<string, number> = {};
  for (const { code } of findings) ruledOut[code] = 1;
  return { code: first.code, message: `Container instance ${id} ${first.sentence}.`, closest: id, ruledOut };
}

function findingsOf(cluster: Cluster, request: Request, slot: number): readonly Finding[] {
  const causes = request.causes(slot);
  if (causes === 0) return [];
  const { shape } = request;
  const findings: Finding[] = [];
  const add = (code: string, sentence: string, distance: number): number => findings.push({ code, sentence, distance });
  const short = (need: number, free: number): number => (need - free) / need;
  if ((causes & cause.INACTIVE) !== 0) {
    // An instance that takes no tasks at all is further away than any that lacks room.
    if (cluster.specs[slot]!.agentConnected) add('INACTIVE', 'is not ACTIVE and takes no new tasks', 10);
    else add('AGENT', 'encountered error "AGENT": its agent is not connected', 10);
  }
  if ((causes & cause.CPU) !== 0) {
    const free = cluster.freeCpu[slot]!;
    const text = `has insufficient CPU units available (${shape.cpu} needed, ${free} free)`;
    add('RESOURCE:CPU', text, short(shape.cpu, free));
  }
  if ((causes & cause.MEMORY) !== 0) {
    const free = cluster.freeMemory[slot]!;
    const text = `has insufficient memory available (${shape.memory} MiB needed, ${free} MiB free)`;
    add('RESOURCE:MEMORY', text, short(shape.memory, free));
  }
  if ((causes & cause.PORTS) !== 0) add('RESOURCE:PORTS', 'is already using a port required by your task', 1);
  if ((causes & cause.GPU) !== 0) {
    const free = cluster.freeGpus[slot]!;
    const text = `has insufficient GPUs available (${shape.gpus} needed, ${free} free)`;
    add('RESOURCE:GPU', text, short(shape.gpus, free));
  }
  if ((causes & cause.FILTER) !== 0) {
    for (const [index, part] of request.filter!.parts.entries()) {
      if (!request.filter!.partAdmits(index, slot)) add(part.code, part.label, 1);
    }
  }
  if ((causes & cause.DISTINCT) !== 0) {
    add('DISTINCTINSTANCE', `already runs a task of ${request.group.name} (constraint distinctInstance)`, 1);
  }
  return findings;
}

/** Each cause by itself, in the order of checking: how many instances it rules out. */
export function causesOf(cluster: Cluster, request: Request): NonNullable<Unplaceable['causes']> {
  const counted = new Map<string, { code: string; detail: string; instances: number }>();
  const count = (code: string, detail: string): void => {
    const entry = counted.get(`${code} ${detail}`);
    if (entry === undefined) counted.set(`${code} ${detail}`, { code, detail, instances: 1 });
    else entry.instances++;
  };
  for (let slot = 0; slot < cluster.slots; slot++) {
    if (cluster.status[slot] === removed) continue;
    for (const finding of findingsOf(cluster, request, slot)) {
      const isFilter = request.filter?.parts.some((part) => part.label === finding.sentence) === true;
      count(finding.code, isFilter ? finding.sentence : needOf(request, finding.code));
    }
  }
  return [...counted.values()];
}

function needOf({ shape, group }: Request, code: string): string {
  switch (code) {
    case 'RESOURCE:CPU':
      return `has fewer than ${shape.cpu} CPU units free`;
    case 'RESOURCE:MEMORY':
      return `has less than ${shape.memory} MiB free`;
    case 'RESOURCE:GPU':
      return `has fewer than ${shape.gpus} GPUs free`;
    case 'RESOURCE:PORTS':
      return `uses one of the ports ${[...shape.tcpPorts, ...shape.udpPorts].join(', ')}`;
    case 'DISTINCTINSTANCE':
      return `runs a task of ${group.name} already`;
    case 'AGENT':
      return 'has no connected agent';
    default:
      return 'is not ACTIVE';
  }
}

/** What no change of the tasks could help, when there is such a thing. */
function impossibility(cluster: Cluster, request: Request): string | undefined {
  const { shape } = request;
  const most = (amount: 'cpu' | 'memory' | 'gpus'): number => {
    let largest = 0;
    for (const spec of cluster.specs) if (spec !== undefined) largest = Math.max(largest, spec[amount]);
    return largest;
  };
  if (shape.cpu > most('cpu')) return `It can never fit: the largest instance has ${most('cpu')} CPU units in total.`;
  if (shape.memory > most('memory')) {
    return `It can never fit: the largest instance has ${most('memory')} MiB in total.`;
  }
  if (shape.gpus > most('gpus')) return `It can never fit: the largest instance has ${most('gpus')} GPUs in total.`;
  const conditions = (request.filter?.parts ?? []).flatMap(({ condition }) =>
    condition.kind === 'check' ? [] : [condition],
  );
  const attribute = contradiction(conditions);
  if (attribute !== undefined) {
    return `The constraints contradict each other: attribute:${attribute} cannot be everything they ask.`;
  }
  return undefined;
}
