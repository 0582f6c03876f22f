import { isDeepStrictEqual } from 'node:util';
import type { DeploymentRecord, ServiceRecord, ShiftRecord, StepJudgement } from '@slipway/scheduler/state';
import type { EngineContainer } from './engine.ts';
import type { SimulatedHost } from './host.ts';
import { Violation } from './invariants.ts';
import type { Changed, Mirror } from './mirror.ts';
import type { SeenCommit } from './store.ts';

/** How a revision answers. */
export type Quality = 'good' | 'failing' | 'slow';

/** One request of a client, as an engine has carried it. */
export interface Carried {
  readonly groupId: string;
  /** Percent of its listener's requests that the group had, by what that engine routed by. */
  readonly percent: number;
}

const qualities: readonly Quality[] = ['failing', 'good', 'good', 'slow', 'good'];

/** What there is to find out about a revision: by its number, so that all who meet it agree. */
export const qualityOf = (taskDefinition: string): Quality =>
  qualities[Number(taskDefinition.split(':').at(-1)) % qualities.length] ?? 'good';

/** Seconds: what is slow takes longer, and what is not does not. */
export const slowFrom = 1;

export interface JudgePorts {
  readonly mirror: Mirror;
  /** Of now. */
  readonly hosts: readonly SimulatedHost[];
}

/** Keeps count of what engines truly carried, and holds every verdict on a step against it. */
export class JudgeChecks {
  readonly #ports: JudgePorts;
  /** Requests by group and percent, since the day began; and what it was when a service last wanted other weights. */
  readonly #carried = new Map<string, number>();
  readonly #before = new Map<string, ReadonlyMap<string, number>>();
  /** Whether what users broke is being repaired: from then on every revision is good. */
  #repaired = false;
  #lost = false;
  /** Verdicts on steps. */
  given = 0;

  constructor(ports: JudgePorts) {
    this.#ports = ports;
  }

  /** The store lost commits: nobody knows any more what was judged. */
  rewound(): void {
    this.#lost = true;
  }

  /** From now on revisions are good. */
  repair(): void {
    this.#repaired = true;
  }

  /** How what answers at an address answers; undefined when nothing does. */
  answers(address: string, port: number): Quality | undefined {
    const host = this.#ports.hosts.find((one) => one.address === address);
    const container = host?.powered === true ? host.engine.at(port) : undefined;
    if (container === undefined) return undefined;
    const task = this.#ports.mirror.tasks.get(taskOf(container));
    return this.#repaired || task === undefined ? 'good' : qualityOf(task.taskDefinition);
  }

  carried({ groupId, percent }: Carried): void {
    const key = keyOf(groupId, percent);
    this.#carried.set(key, (this.#carried.get(key) ?? 0) + 1);
  }

  /** @throws Violation */
  check({ batch }: SeenCommit, changed: readonly Changed[]): void {
    if (!this.#lost && batch.fence !== undefined)
      for (const change of changed) if (change.kind === 'service') this.#service(change.before, change.after);
    // Only now: the weights of the next step are wanted in the commit that judges the last one.
    for (const { key, value } of batch.put ?? [])
      if (key.startsWith('shift/')) this.#before.set((value as unknown as ShiftRecord).service, new Map(this.#carried));
  }

  #service(before: ServiceRecord | undefined, after: ServiceRecord | undefined): void {
    if (before === undefined || after?.judge === undefined || before.judge === undefined) return;
    for (const deployment of after.deployments) {
      const was = before.deployments.find(({ id }) => id === deployment.id);
      if (was?.shifting === undefined || deployment.shifting === undefined) continue;
      const say = `deployment ${deployment.id} of ${after.name}`;
      const judged = deployment.shifting.judged ?? [];
      for (const one of was.shifting.judged ?? [])
        if (one.verdict !== 'open' && !judged.some((now) => isDeepStrictEqual(now, one)))
          throw new Violation('judged', `${say} got another verdict on step ${one.step} than ${one.verdict}`);
      for (const one of judged)
        if (!(was.shifting.judged ?? []).some((old) => isDeepStrictEqual(old, one)))
          this.#verdict(after, deployment, one);
      this.#left(after, was, deployment, say);
    }
  }

  /** A step that both revisions share is left only by its verdict, but for a service of which nothing is to run any more. */
  #left({ judge, desiredCount }: ServiceRecord, was: DeploymentRecord, now: DeploymentRecord, say: string): void {
    const [from, to] = [was.shifting, now.shifting];
    if (from === undefined || to === undefined || to.rollback !== undefined) return;
    const { production } = from.live;
    const shared = from.stage === 'PRODUCTION_TRAFFIC_SHIFT' && production > 0 && production < 100;
    if (!shared || to.step <= from.step || desiredCount === 0) return;
    const { verdict, isIdle = false } = to.judged?.find(({ step }) => step === from.step) ?? {};
    if (verdict === 'not worse' || (verdict === 'inconclusive' && (isIdle || judge?.otherwise === 'continue'))) return;
    throw new Violation(
      'judged',
      `${say} left step ${from.step} with ${production} %, judged ${verdict ?? 'by nobody'}`,
    );
  }

  #verdict(service: ServiceRecord, deployment: DeploymentRecord, judgement: StepJudgement): void {
    const say = `deployment ${deployment.id} of ${service.name}`;
    const { verdict, percent, compared, step } = judgement;
    if (verdict !== 'open') this.given += 1;
    for (const { what, own, other } of compared)
      for (const [{ requests, bad }, groups, share] of [
        [own, deployment.loadBalancers?.map(({ targetGroupArn }) => targetGroupArn), percent],
        [
          other,
          deployment.loadBalancers?.map(({ advanced }) => advanced?.alternateTargetGroupArn ?? ''),
          100 - percent,
        ],
      ] as const) {
        const truly = (groups ?? []).reduce((sum, arn) => sum + this.#since(service.name, arn, share), 0);
        if (requests < 0 || bad < 0 || bad > requests || requests > truly)
          throw new Violation(
            'judged',
            `${say} was judged ${verdict} on step ${step} by ${bad} ${what} of ${requests} requests: with ${share} % there were ${truly}`,
          );
      }
    this.#right(service, deployment, judgement, say);
  }

  /** Requests that a group had with a share, since the service wanted that. */
  #since(service: string, arn: string, percent: number): number {
    const key = keyOf(arn.split('/').at(-1) ?? '', percent);
    return (this.#carried.get(key) ?? 0) - (this.#before.get(service)?.get(key) ?? 0);
  }

  /** Differences here are so large that the test is not wrong about one in a life of seeds. */
  #right(
    service: ServiceRecord,
    deployment: DeploymentRecord,
    { verdict, compared }: StepJudgement,
    say: string,
  ): void {
    if (this.#repaired || (verdict !== 'worse' && verdict !== 'not worse')) return;
    const old = service.deployments
      .filter(({ completedAt, id }) => completedAt !== undefined && id !== deployment.id)
      .toSorted((a, b) => (b.completedAt ?? 0) - (a.completedAt ?? 0))[0];
    if (old === undefined) return;
    const [is, was] = [qualityOf(deployment.taskDefinition), qualityOf(old.taskDefinition)];
    const sees = compared.some(({ what, above = 0 }) => what === 'slow' && above <= slowFrom);
    const isWorse = is !== was && (is === 'failing' || (is === 'slow' && sees));
    const isAlike = is === was || is === 'good';
    if ((verdict === 'worse' && isAlike) || (verdict === 'not worse' && isWorse))
      throw new Violation('judged', `${say}, a ${is} revision after a ${was} one, was judged ${verdict}`);
  }
}

const keyOf = (group: string, percent: number): string => `${group} ${Math.round(percent * 10)}`;

const taskOf = ({ labels }: EngineContainer): string =>
  (labels['com.amazonaws.ecs.task-arn'] ?? '').split('/').at(-1) ?? '';
