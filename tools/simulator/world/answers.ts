import type { ServiceRecord, TaskRecord } from '@slipway/scheduler/state';
import { Violation } from './invariants.ts';
import type { Mirror } from './mirror.ts';

/** What the answers of the operations that users call tell of, as far as it is checked. */
interface Told {
  readonly service?: ToldService;
  readonly services?: readonly ToldService[];
  readonly tasks?: readonly ToldTask[];
  readonly taskDefinition?: { readonly taskDefinitionArn?: string };
  readonly tags?: readonly Tag[];
  readonly taskSet?: ToldSet;
  readonly taskSets?: readonly ToldSet[];
}

interface ToldSet {
  readonly id?: string;
  readonly taskDefinition?: string;
  readonly scale?: { readonly value?: number };
}

interface ToldService {
  readonly serviceName?: string;
  readonly desiredCount?: number;
  readonly taskDefinition?: string;
  readonly status?: string;
}

interface ToldTask {
  readonly taskArn?: string;
  readonly lastStatus?: string;
  readonly desiredStatus?: string;
}

interface Tag {
  readonly key?: string;
  readonly value?: string;
}

/** A call and its answer. */
export interface Answered {
  readonly operation: string;
  readonly input: object;
  readonly value: unknown;
  /** True time of the question. */
  readonly asked: number;
}

/** Holds what clients are told against what was so between their question and the answer. */
export class AnswerChecks {
  readonly #mirror: Mirror;
  /** Revisions that were given out. */
  readonly #given = new Set<string>();

  constructor(mirror: Mirror) {
    this.#mirror = mirror;
  }

  /** @throws Violation */
  check(answered: Answered): void {
    const { operation, input, asked } = answered;
    const told = (answered.value ?? {}) as Told;
    const said = `${operation} ${JSON.stringify(input).slice(0, 120)}`;
    for (const service of told.services ?? (told.service === undefined ? [] : [told.service]))
      this.#service(said, service, asked);
    for (const task of told.tasks ?? []) this.#task(said, task, asked, operation === 'DescribeTasks');
    for (const set of told.taskSets ?? (told.taskSet === undefined ? [] : [told.taskSet]))
      this.#set(said, set, (input as { service?: string }).service ?? '', asked);
    const { resourceArn, tags } = input as { resourceArn?: string; tags?: readonly Tag[] };
    if (operation === 'TagResource') this.#tags(said, resourceArn, tags ?? [], asked);
    if (operation === 'ListTagsForResource') this.#tags(said, resourceArn, told.tags ?? [], asked);
    if (operation === 'RegisterTaskDefinition') this.#registered(said, told.taskDefinition?.taskDefinitionArn ?? '');
  }

  #service(said: string, told: ToldService, asked: number): void {
    const { serviceName = '', desiredCount, taskDefinition, status } = told;
    const show = (of: ToldService | undefined): string =>
      `${of?.status} ${of?.desiredCount} ${of?.taskDefinition?.split('/')[1]}`;
    const agrees = (state: ServiceRecord | undefined): boolean =>
      state !== undefined &&
      state.desiredCount === desiredCount &&
      // Of one that CodeDeploy deploys it is the revision that traffic is at.
      (state.controller === 'CODE_DEPLOY'
        ? state.deployments.some((one) => one.taskDefinition === taskDefinition)
        : // Before it has a primary task set a service runs nothing of its own.
          state.taskDefinition === (taskDefinition ?? '')) &&
      state.status === status;
    this.#wasSo(`${said} said ${show(told)}`, this.#mirror.serviceDuring(serviceName, asked), agrees, show);
  }

  #set(said: string, { id, taskDefinition, scale }: ToldSet, service: string, asked: number): void {
    const agrees = (state: ServiceRecord | undefined): boolean =>
      state?.deployments.some(
        (one) => one.id === id && one.taskDefinition === taskDefinition && one.taskSet?.scale === scale?.value,
      ) === true;
    const show = (state: ServiceRecord | undefined): string =>
      (state?.deployments ?? []).map((one) => `${one.id} ${one.taskSet?.scale} %`).join(', ');
    this.#wasSo(`${said} told of ${id} ${scale?.value} %`, this.#mirror.serviceDuring(service, asked), agrees, show);
  }

  #task(said: string, { taskArn = '', lastStatus, desiredStatus }: ToldTask, asked: number, described: boolean): void {
    const show = (of: ToldTask | TaskRecord | undefined): string => `${of?.lastStatus}, wanted ${of?.desiredStatus}`;
    const agrees = (state: TaskRecord | undefined): boolean =>
      state !== undefined && (!described || (state.lastStatus === lastStatus && state.desiredStatus === desiredStatus));
    const states = this.#mirror.taskDuring(taskArn.slice(taskArn.lastIndexOf('/') + 1), asked);
    this.#wasSo(`${said} told of ${taskArn.slice(-32)} ${lastStatus}, wanted ${desiredStatus}`, states, agrees, show);
  }

  #tags(said: string, arn = '', tags: readonly Tag[], asked: number): void {
    const agrees = (state: ServiceRecord | undefined): boolean =>
      state !== undefined && tags.every(({ key = '', value }) => state.tags[key] === value);
    const show = (state: ServiceRecord | undefined): string => JSON.stringify(state?.tags ?? null);
    const states = this.#mirror.serviceDuring(arn.slice(arn.lastIndexOf('/') + 1), asked);
    this.#wasSo(`${said} said ${JSON.stringify(tags)}`, states, agrees, show);
  }

  #wasSo<T>(said: string, states: readonly T[], agrees: (state: T) => boolean, show: (state: T) => string): void {
    if (states.some(agrees)) return;
    throw new Violation('acknowledged', `${said}, it was ${states.map(show).join(' | ')}`);
  }

  #registered(said: string, arn: string): void {
    if (!this.#mirror.definitions.has(arn))
      throw new Violation('acknowledged', `${said} gave ${arn}, which there is not`);
    if (this.#given.has(arn)) throw new Violation('revisions', `${said} gave ${arn} a second time`);
    this.#given.add(arn);
  }
}
