import {
  type DeploymentRecord,
  type HookRun,
  isOpenRun,
  type LifecycleHook,
  type LifecycleStage,
  type Shifting,
} from '../state/index.ts';

import type { Pass } from './pass.ts';

const minute = 60_000;

/** Which of a deployment's hooks are asked, for what. */
export type Occasion = Pick<HookRun, 'stage' | 'step' | 'isRollback'>;

const isFor =
  ({ stage, step, isRollback }: Occasion) =>
  (run: HookRun): boolean =>
    run.stage === stage && run.step === step && run.isRollback === isRollback;

/** The runs with what hooks have answered, and with those that took too long. Pure but for the wish to be woken. */
export function answeredRuns(pass: Pass, { id, shifting }: DeploymentRecord): readonly HookRun[] {
  const { runs = [], hooks = [] } = shifting ?? {};
  const answers = new Map(pass.state.hookResults.flatMap((one) => (one.deploymentId === id ? [[one.id, one]] : [])));
  return runs.map((run): HookRun => {
    if (!isOpenRun(run)) return run;
    const answer = answers.get(run.id);
    if (answer?.status === 'SUCCEEDED') return { ...run, status: 'SUCCEEDED', endedAt: pass.now };
    if (answer?.status === 'FAILED')
      return { ...run, status: 'FAILED', endedAt: pass.now, reason: answer.reason ?? 'The hook answered FAILED.' };
    const minutes = hooks[run.hook]?.timeoutInMinutes ?? 0;
    const due = run.startedAt + minutes * minute;
    pass.wake(due);
    if (due > pass.now) return run;
    return { ...run, status: 'TIMED_OUT', endedAt: pass.now, reason: `No answer within ${minutes} minutes.` };
  });
}

/** Ends what is still under way: nobody waits for it any more. */
export const closeRuns = (runs: readonly HookRun[], now: number, reason: string): readonly HookRun[] =>
  runs.map((run) => (isOpenRun(run) ? { ...run, status: 'FAILED', endedAt: now, reason } : run));

/**
 * The runs with one for each hook that is to be asked on this occasion. While traffic goes back nobody is waited for who would first have
 * to be found: pauses are left out.
 */
export function withRuns(pass: Pass, { hooks, runs }: Shifting, occasion: Occasion): readonly HookRun[] {
  const asked = new Set(runs.filter(isFor(occasion)).map(({ hook }) => hook));
  const before = new Set(runs.filter(({ stage }) => stage === occasion.stage).map(({ hook }) => hook));
  const fresh = hooks.flatMap(({ stages, target, once }, hook): HookRun[] => {
    if (asked.has(hook) || !stages.includes(occasion.stage)) return [];
    if (once === true && (occasion.isRollback || before.has(hook))) return [];
    if (occasion.isRollback && target.type === 'pause') return [];
    const status = target.type === 'pause' ? 'AWAITING_ACTION' : 'IN_PROGRESS';
    return [{ id: pass.state.newRunId(), hook, ...occasion, status, startedAt: pass.now }];
  });
  return fresh.length === 0 ? runs : [...runs, ...fresh];
}

/** Whether every hook of the occasion has been asked and none is waited for. */
export const areThrough = (runs: readonly HookRun[], occasion: Occasion): boolean =>
  !runs.filter(isFor(occasion)).some(isOpenRun);

export const isAnyOpen = (runs: readonly HookRun[]): boolean => runs.some(isOpenRun);

/** When the last answer of a stage came. */
export const lastAnswerAt = (runs: readonly HookRun[], stage: LifecycleStage): number =>
  Math.max(0, ...runs.filter((run) => run.stage === stage).map(({ endedAt = 0 }) => endedAt));

/** The run for which a deployment is given up: one that failed, or took too long where that is not let pass. */
export const refusal = ({
  runs,
  hooks,
}: Shifting): { readonly run: HookRun; readonly hook: LifecycleHook } | undefined => {
  for (const run of runs) {
    const hook = hooks[run.hook];
    if (hook === undefined || run.isRollback) continue;
    if (run.status === 'FAILED' || (run.status === 'TIMED_OUT' && hook.onTimeout === 'ROLLBACK')) return { run, hook };
  }
  return undefined;
};
