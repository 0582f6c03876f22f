import {
  type DeploymentRecord,
  hookName,
  type LifecycleStage,
  lifecycleStages,
  type Shifting,
  type ShiftStrategy,
  type StepJudgement,
} from '../state/index.ts';

import { areAlarmsKnown } from './alarms.ts';
import { lowerBound, tasksPerPass } from './bounds.ts';
import { failDeployment, type Failing, finishRollback } from './breaker.ts';
import type { Counted } from './census.ts';
import { eventTexts } from './events.ts';
import { answeredRuns, areThrough, closeRuns, isAnyOpen, lastAnswerAt, refusal, withRuns } from './hook-runs.ts';
import { hopelessness } from './hopeless.ts';
import { judgeStep } from './judged-steps.ts';
import { judgementText } from './judgement.ts';
import type { Pass } from './pass.ts';
import { keepWhole, roll } from './rolling.ts';
import { hasReached, sourceOf } from './shift-state.ts';
import type { Strategy } from './strategy.ts';
import { hasRules, hasTestRule, inOtherGroup, type Percents, wantRules } from './weights.ts';

const minute = 60_000;

/** Milliseconds that a stage may take, what its hooks take and what it is told to rest left out (ECS: 24 hours). */
const stageLimit = 24 * 60 * minute;

/** Milliseconds for which traffic engines may say that weights cannot be had, or the old revision may be too weak to go back to. */
const patience = 10 * minute;

/** In which portions the new revision gets production traffic. */
export interface Schedule {
  /** Percent after each step; the last is 100. */
  readonly percents: (strategy: ShiftStrategy) => readonly number[];
  /** Minutes between two steps. */
  readonly stepBakeMinutes: (strategy: ShiftStrategy) => number;
}

/** The strategy's own settings. */
export function ofType<T extends ShiftStrategy['type']>(
  strategy: ShiftStrategy,
  type: T,
): Extract<ShiftStrategy, { readonly type: T }> {
  if (strategy.type !== type) throw new Error(`not a strategy of type ${type}: ${strategy.type}`);
  return strategy as Extract<ShiftStrategy, { readonly type: T }>;
}

/**
 * The strategies that start the new revision beside the old one and then shift traffic: stages in ECS's order, each left when what it
 * wants is acknowledged by every traffic engine and its hooks have answered. The old revision stays whole until the last one.
 */
export const shiftsTraffic = (schedule: Schedule): Strategy => ({
  step: (pass) => {
    const primary = pass.primary();
    if (primary?.shifting !== undefined) new Shift(pass, primary.id, schedule).run();
  },
  mayComplete: ({ shifting }) => shifting?.stage === 'CLEAN_UP' && shifting.rollback === undefined,
});

class Shift {
  readonly #pass: Pass;
  readonly #id: string;
  readonly #source: DeploymentRecord | undefined;
  readonly #percents: readonly number[];
  readonly #stepBake: number;

  constructor(pass: Pass, id: string, schedule: Schedule) {
    this.#pass = pass;
    this.#id = id;
    this.#source = sourceOf(pass.deployments());
    const { strategy } = this.#shifting;
    this.#percents = schedule.percents(strategy);
    this.#stepBake = schedule.stepBakeMinutes(strategy) * minute;
  }

  get #deployment(): DeploymentRecord {
    const deployment = this.#pass.deployment(this.#id);
    if (deployment === undefined) throw new Error(`no deployment ${this.#id}`);
    return deployment;
  }

  get #shifting(): Shifting {
    const { shifting } = this.#deployment;
    if (shifting === undefined) throw new Error(`deployment ${this.#id} shifts nothing`);
    return shifting;
  }

  #set(patch: Partial<Shifting>): void {
    const { shifting } = this.#deployment;
    if (shifting !== undefined) this.#pass.change(this.#id, { shifting: { ...shifting, ...patch } });
  }

  run(): void {
    const source = this.#source;
    if (source?.status === 'INACTIVE') this.#pass.change(source.id, { status: 'ACTIVE' });
    this.#noteOthers();
    this.#noteLive();
    this.#noteRuns();
    if (this.#deployment.rolloutState === 'IN_PROGRESS') this.#judge();
    // One that is FAILED now is to stay as it is.
    if (this.#deployment.rolloutState === 'IN_PROGRESS') {
      if (this.#shifting.rollback !== undefined) this.#goBack();
      // As many stages as are over at once; more than there are, as of LINEAR, go on in the next pass, which this one's commit brings about.
      else for (const _ of lifecycleStages) if (!this.#advance()) break;
    }
    this.#tellProblem();
    this.#keepTasks();
  }

  /** What was superseded goes back without an answer of its hooks. */
  #noteOthers(): void {
    for (const { id, shifting, status } of this.#pass.deployments()) {
      if (status === 'PRIMARY' || shifting === undefined || shifting.rollback !== undefined) continue;
      if (hasReached(shifting, 'CLEAN_UP')) continue;
      const reason = `superseded by deployment ${this.#id}`;
      const runs = closeRuns(shifting.runs, this.#pass.now, reason);
      const rollback = { reason, at: this.#pass.now, verdict: 'inconclusive' } as const;
      this.#pass.change(id, { shifting: { ...shifting, runs, rollback } });
    }
  }

  /** Whether engines have acknowledged what is wanted, and nothing else since. */
  #isLive(): boolean {
    const { sequence } = this.#shifting;
    if (sequence === 0) return !hasRules(this.#deployment);
    return this.#pass.shift === undefined && this.#pass.state.shiftLive?.sequence === sequence;
  }

  #noteLive(): void {
    const { wanted, live } = this.#shifting;
    const isNews = live.production !== wanted.production || live.test !== wanted.test;
    if (isNews && this.#isLive()) this.#set({ live: { ...wanted, since: this.#pass.now } });
  }

  #noteRuns(): void {
    const runs = answeredRuns(this.#pass, this.#deployment);
    if (runs.some((run, place) => run !== this.#shifting.runs[place])) this.#set({ runs });
  }

  #want(percents: Percents): void {
    const { wanted, sequence } = this.#shifting;
    const next = wantRules(this.#pass, this.#deployment, percents);
    if (next === sequence && wanted.production === percents.production && wanted.test === percents.test) return;
    this.#set({ wanted: percents, sequence: next });
    this.#pass.decisions.push({
      what: 'shift',
      deploymentId: this.#id,
      why: `${percents.production} percent of production and ${percents.test} percent of test traffic, as ${next}`,
    });
    this.#noteLive();
  }

  #own(): readonly Counted[] {
    const { keep } = this.#pass.census();
    return keep.filter(({ healthy }) => healthy);
  }

  /** Whether the new revision has the desired count of healthy tasks. */
  #isWhole(): boolean {
    return this.#own().length >= this.#pass.service.desiredCount;
  }

  #sourceTasks(): readonly Counted[] {
    const { outgoing } = this.#pass.census();
    return outgoing.filter(({ deployment }) => deployment?.id === this.#source?.id);
  }

  /** Whether the old revision can take all traffic: it has what the service needs at least, or no less than all others together. */
  #canGoBack(): boolean {
    const { desiredCount, deploymentConfiguration } = this.#pass.service;
    const healthy = this.#sourceTasks().filter((one) => one.healthy).length;
    const others = this.#pass.census().healthy - healthy;
    if (healthy >= Math.max(lowerBound(desiredCount, deploymentConfiguration), Math.min(1, desiredCount))) return true;
    if (healthy >= others) return true;
    const { rollback, stageSince } = this.#shifting;
    const until = (rollback?.at ?? stageSince) + patience;
    this.#pass.wake(until);
    return healthy > 0 && until <= this.#pass.now;
  }

  /** Gives the deployment up when somebody says so, a hook does, or a stage takes too long. */
  #judge(): void {
    const { stop, rollback, stage } = this.#shifting;
    if (rollback !== undefined || stage === 'CLEAN_UP') return;
    if (stop !== undefined) {
      const by = stop.by === undefined ? '' : ` by ${stop.by}`;
      this.#fail(`stopped${by} in stage ${stage}.`, 'inconclusive', stop.type !== 'STAY');
      return;
    }
    const refused = refusal(this.#shifting);
    if (refused !== undefined) {
      const { run, hook } = refused;
      const says = `lifecycle hook (${hookName(hook)}) in stage ${run.stage} ${run.status === 'FAILED' ? 'failed' : 'timed out'}`;
      const isJudged = run.status === 'FAILED' && hook.target.type !== 'pause';
      this.#fail(`${says}${run.reason === undefined ? '.' : `: ${run.reason}`}`, isJudged ? 'failed' : 'inconclusive');
      return;
    }
    if (this.#isRefuted()) return;
    const problem = this.#problem();
    if (problem !== undefined && this.#isOver(this.#shifting.stageSince + patience)) {
      this.#fail(`traffic cannot be shifted in stage ${stage}: ${problem}`, 'inconclusive');
      return;
    }
    this.#limit();
  }

  /**
   * What engines' numbers say of the step at which it is, where the service asks for that and both revisions share it. Of a service that was
   * scaled to nothing meanwhile nobody can be asked anything, however long one waits.
   */
  #judgement(): StepJudgement | undefined {
    const { stage, wanted, live } = this.#shifting;
    if (this.#pass.service.desiredCount === 0) return undefined;
    const isShared = live.production > 0 && live.production < 100 && live.production === wanted.production;
    if (stage !== 'PRODUCTION_TRAFFIC_SHIFT' || !isShared || this.#source === undefined || !this.#isLive())
      return undefined;
    const steps = this.#percents.filter((percent) => percent < 100).length;
    return judgeStep(this.#pass, this.#deployment, { steps, restsUntil: live.since + this.#stepBake });
  }

  /** Gives the deployment up when its revision is worse, or nobody found out whether it is and that is not let pass. */
  #isRefuted(): boolean {
    const judgement = this.#judgement();
    if (judgement === undefined) return false;
    const { verdict, percent, isIdle = false } = judgement;
    const goesOn = verdict === 'inconclusive' && (isIdle || this.#pass.service.judge?.otherwise !== 'rollback');
    if (verdict === 'open' || verdict === 'not worse' || goesOn) return false;
    this.#fail(
      `judged ${verdict} with ${percent} % of production traffic: ${judgementText(judgement)}.`,
      verdict === 'worse' ? 'failed' : 'inconclusive',
    );
    return true;
  }

  /** What keeps the weights that are wanted now from being live. */
  #problem(): string | undefined {
    const problem = this.#pass.state.shiftLive?.problem;
    return problem?.sequence === this.#shifting.sequence && !this.#isLive() ? problem.reason : undefined;
  }

  #tellProblem(): void {
    const problem = this.#problem();
    if (problem === undefined) this.#pass.voice.resolve('shift');
    else this.#pass.voice.sayStanding('shift', eventTexts.notShifted(this.#id, problem));
  }

  /** A stage that waits for too long, not counting what it waits for by intent. */
  #limit(): void {
    const { stage, stageSince, runs, live, bakeTimeInMinutes, codeDeploy } = this.#shifting;
    if (isAnyOpen(runs)) return;
    const { unplaceable } = this.#deployment;
    const why = unplaceable === undefined ? '' : `: ${unplaceable.code}: ${unplaceable.message}`;
    const verdict = unplaceable === undefined ? 'inconclusive' : 'unplaceable';
    if (
      stage === 'SCALE_UP' &&
      codeDeploy !== undefined &&
      this.#isOver(stageSince + codeDeploy.installMinutes * minute)
    ) {
      this.#fail(`the new tasks were not all healthy within ${codeDeploy.installMinutes} minutes${why}`, verdict);
      return;
    }
    const rest =
      stage === 'BAKE_TIME'
        ? stageSince + bakeTimeInMinutes * minute
        : stage === 'PRODUCTION_TRAFFIC_SHIFT'
          ? live.since + this.#stepBake
          : 0;
    if (!this.#isOver(Math.max(stageSince, rest, lastAnswerAt(runs, stage)) + stageLimit)) return;
    this.#fail(`stage ${stage} took more than 24 hours${why}`, verdict);
  }

  #isOver(at: number): boolean {
    this.#pass.wake(at);
    return at <= this.#pass.now;
  }

  /** @param rollback whether traffic goes back; it always does but where CodeDeploy is told otherwise */
  #fail(
    evidence: string,
    verdict: Failing['verdict'],
    rollback: boolean = this.#shifting.codeDeploy?.goesBack ?? true,
  ): void {
    failDeployment(this.#pass, this.#id, {
      rollback,
      event: evidence,
      reason: `ECS deployment ${this.#id} failed: ${evidence}`,
      evidence,
      verdict,
    });
  }

  /** Weights first; when they are live, hooks hear of it; then the old revision is PRIMARY again, and the rolling step ends the new one. */
  #goBack(): void {
    const { wanted, stop, sequence, step } = this.#shifting;
    const source = this.#source;
    if (source === undefined) return;
    const isBack = wanted.production === 0 && wanted.test === 0 && (sequence > 0 || !hasRules(this.#deployment));
    if (!isBack) {
      if (!this.#canGoBack()) {
        this.#stayIfHopeless(source);
        return;
      }
      this.#want({ production: 0, test: 0 });
    }
    const isForced = stop?.type === 'ABORT';
    if (!this.#isLive() && !(isForced && this.#problem() !== undefined)) {
      // It was given up before any weights of its own were live: those were asked for long ago, and the old revision has died since.
      this.#stayIfHopeless(source);
      return;
    }
    if (!isForced)
      for (const stage of ['TEST_TRAFFIC_SHIFT', 'PRODUCTION_TRAFFIC_SHIFT'] as const)
        if (hasReached(this.#shifting, stage) && !this.#areAsked(stage, step, true)) return;
    finishRollback(this.#pass, this.#deployment, source);
  }

  /**
   * Where the old revision has no task left and can never have one again, traffic stays where it is until the next deployment, and both
   * revisions are tried on.
   */
  #stayIfHopeless({ id: old }: DeploymentRecord): void {
    const { rollback } = this.#shifting;
    if (rollback === undefined || this.#sourceTasks().some(({ healthy }) => healthy)) return;
    const impossible = hopelessness(this.#pass, old);
    if (impossible === undefined) return;
    const why = `cannot go back to deployment ${old}: ${impossible}`;
    this.#set({ rollback: { ...rollback, impossible } });
    this.#pass.change(this.#id, {
      rolloutState: 'FAILED',
      rolloutStateReason: `ECS deployment ${this.#id} failed: ${rollback.reason.replace(/\.?$/, '.')} It ${why}`,
      // What traffic is left with: its tasks that end have successors, at the pace of those that fail.
      triesOn: true,
    });
    this.#pass.voice.say(eventTexts.failed(this.#id, why));
    // That it failed was decided when it was given up.
    this.#pass.decisions.push({ what: 'rollback-impossible', deploymentId: this.#id, why });
  }

  /** Whether the hooks of a stage have answered; asks them if nobody has. */
  #areAsked(stage: LifecycleStage, step = 0, isRollback = false): boolean {
    const occasion = { stage, step, isRollback };
    const runs = withRuns(this.#pass, this.#shifting, occasion);
    if (runs !== this.#shifting.runs) {
      this.#set({ runs });
      this.#noteRuns();
    }
    return areThrough(this.#shifting.runs, occasion) && (isRollback || refusal(this.#shifting) === undefined);
  }

  #enter(stage: LifecycleStage, step = this.#shifting.step): true {
    const { now } = this.#pass;
    this.#set({ stage, step, stageSince: now });
    this.#pass.decisions.push({ what: 'stage', deploymentId: this.#id, why: `${stage}, step ${step}` });
    if (stage === 'CLEAN_UP') this.#pass.change(this.#id, { completedAt: now });
    return true;
  }

  /** @returns whether a stage was left */
  #advance(): boolean {
    const { stage, step, wanted, live, stageSince, bakeTimeInMinutes, codeDeploy } = this.#shifting;
    switch (stage) {
      case 'RECONCILE_SERVICE':
        return this.#reconcile() && this.#enter('PRE_SCALE_UP');
      case 'PRE_SCALE_UP':
        return this.#areAsked(stage) && this.#enter('SCALE_UP');
      case 'SCALE_UP':
        return this.#isWhole() && this.#enter('POST_SCALE_UP');
      case 'POST_SCALE_UP':
        return this.#areAsked(stage) && this.#enter('TEST_TRAFFIC_SHIFT');
      case 'TEST_TRAFFIC_SHIFT': {
        const test = hasTestRule(this.#deployment) ? 100 : 0;
        return this.#shift({ ...wanted, test }) && this.#areAsked(stage) && this.#enter('POST_TEST_TRAFFIC_SHIFT');
      }
      case 'POST_TEST_TRAFFIC_SHIFT':
        return this.#areAsked(stage) && this.#enter('PRE_PRODUCTION_TRAFFIC_SHIFT', 0);
      case 'PRE_PRODUCTION_TRAFFIC_SHIFT':
        return this.#areAsked(stage, step) && this.#enter('PRODUCTION_TRAFFIC_SHIFT');
      case 'PRODUCTION_TRAFFIC_SHIFT': {
        const production = this.#source === undefined ? 100 : (this.#percents[step] ?? 100);
        if (!this.#shift({ ...wanted, production }) || !this.#areAsked(stage, step)) return false;
        if (production >= 100) return this.#enter('POST_PRODUCTION_TRAFFIC_SHIFT');
        if (!this.#isOver(live.since + this.#stepBake) || this.#judgement()?.verdict === 'open') return false;
        return this.#enter('PRE_PRODUCTION_TRAFFIC_SHIFT', step + 1);
      }
      case 'POST_PRODUCTION_TRAFFIC_SHIFT':
        return this.#areAsked(stage, step) && this.#enter('BAKE_TIME');
      case 'BAKE_TIME': {
        // Without an old revision there is nothing to go back to.
        const isRested = this.#source === undefined || codeDeploy?.bakeOver === true;
        const bake = isRested ? 0 : bakeTimeInMinutes * minute;
        return (
          this.#isOver(stageSince + bake) && areAlarmsKnown(this.#pass) && this.#isWhole() && this.#enter('CLEAN_UP')
        );
      }
      case 'CLEAN_UP':
        return false;
    }
  }

  /** Traffic is with the old revision alone, in rules that name both groups, and no other revision runs beside it. */
  #reconcile(): boolean {
    const source = this.#source;
    if (source === undefined) {
      this.#want({ production: 100, test: hasTestRule(this.#deployment) ? 100 : 0 });
      return true;
    }
    const others = this.#others();
    const isAsked = this.#shifting.runs.length > 0;
    const hooks = others.length === 0 && !isAsked ? true : this.#areAsked('RECONCILE_SERVICE');
    if (!this.#canGoBack()) {
      this.#adopt(others);
      return false;
    }
    this.#want({ production: 0, test: 0 });
    if (!this.#isLive()) return false;
    // Those that are healthy may be all that there is, where no load balancer says who is asked.
    const { desiredCount, deploymentConfiguration } = this.#pass.service;
    const spare = Math.max(0, this.#pass.census().healthy - lowerBound(desiredCount, deploymentConfiguration));
    const healthy = others.filter((one) => one.healthy);
    this.#end([...others.filter((one) => !one.healthy), ...healthy.slice(0, spare)]);
    return hooks && this.#others().length === 0;
  }

  /** The old revision cannot be had any more: what runs in its place, though it never completed, is what traffic is taken from. */
  #adopt(others: readonly Counted[]): void {
    if (this.#sourceTasks().some(({ healthy }) => healthy) || !this.#isOver(this.#shifting.stageSince + patience))
      return;
    const next = others.find(({ healthy, deployment }) => healthy && deployment !== undefined)?.deployment;
    if (next === undefined) return;
    this.#pass.change(next.id, { completedAt: this.#pass.now });
    const taken = new Set(next.loadBalancers?.map(({ targetGroupArn }) => targetGroupArn));
    const { loadBalancers } = this.#deployment;
    // It has no task yet that would be in the other group.
    if (loadBalancers !== undefined)
      this.#pass.change(this.#id, {
        loadBalancers: loadBalancers.map((one) => (taken.has(one.targetGroupArn) ? inOtherGroup(one) : one)),
      });
  }

  /** Raises what the new revision gets, once it can take it. @returns whether it is live */
  #shift(percents: Percents): boolean {
    const { wanted } = this.#shifting;
    const isWanted = wanted.production === percents.production && wanted.test === percents.test;
    if (!isWanted) {
      if (!this.#isWhole()) return false;
      this.#want(percents);
    }
    return this.#isLive();
  }

  /** Tasks of neither the new nor the old revision. */
  #others(): readonly Counted[] {
    return this.#pass
      .census()
      .outgoing.filter(({ deployment }) => deployment?.id !== this.#id && deployment?.id !== this.#source?.id);
  }

  #end(tasks: readonly Counted[]): void {
    const going = tasks.filter((one) => !one.protected || one.unhealthy).slice(0, tasksPerPass);
    this.#pass.stop(
      going.map(({ task }) => task),
      `Scaling activity initiated by (deployment ${this.#id})`,
    );
    if (going.length > 0) this.#pass.voice.say(eventTexts.stopped(going.map(({ task }) => task.id)));
  }

  #keepTasks(): void {
    const deployment = this.#deployment;
    const source = this.#source;
    // The rollback is over: the next step is another strategy's.
    if (deployment.status !== 'PRIMARY') return;
    const { stage, rollback } = this.#shifting;
    const isUp = hasReached(this.#shifting, 'SCALE_UP');
    if (source === undefined) {
      if (isUp || deployment.rolloutState === 'FAILED') roll(this.#pass);
      return;
    }
    const isGivenUp = rollback !== undefined || deployment.rolloutState === 'FAILED';
    const isStalled = rollback?.impossible === undefined && (!isUp || isGivenUp);
    const own = { deployment, stalled: isStalled };
    if (stage !== 'CLEAN_UP') {
      keepWhole(this.#pass, [{ deployment: source, stalled: false }, own]);
      return;
    }
    keepWhole(this.#pass, [own]);
    const { desiredCount, deploymentConfiguration } = this.#pass.service;
    if (this.#own().length >= lowerBound(desiredCount, deploymentConfiguration))
      this.#end([...this.#sourceTasks(), ...this.#others()]);
  }
}
