import type { DeploymentRecord, MeasuredRecord, ServiceRecord, StepJudgement } from '../state/index.ts';

import { eventTexts } from './events.ts';
import { judge, judgementText, type Sides } from './judgement.ts';
import type { Pass } from './pass.ts';
import { hasReached, shiftingOf, sourceOf } from './shift-state.ts';

const minute = 60_000;

/** The part of an ARN that target groups are known by where traffic is carried. */
const lastOf = (arn: string): string => arn.slice(arn.lastIndexOf('/') + 1);

/** Whether it matters to the service what engines count of its two revisions: from the start of a deployment on, as what is slow is found out before. */
export function isMeasured(service: Pick<ServiceRecord, 'status' | 'deployments' | 'judge'>): boolean {
  if (service.judge === undefined) return false;
  const shifting = shiftingOf(service);
  return (
    shifting !== undefined &&
    shifting.rollback === undefined &&
    shifting.strategy.type !== 'BLUE_GREEN' &&
    !hasReached(shifting, 'POST_PRODUCTION_TRAFFIC_SHIFT') &&
    sourceOf(service.deployments) !== undefined
  );
}

/** Of a step that both revisions share: how long it stays anyway, and how many such steps the deployment has. */
interface Step {
  readonly steps: number;
  /** Milliseconds since the epoch. */
  readonly restsUntil: number;
}

/** Whether nobody asked either revision for anything: of a service without traffic there is nothing to find out, and nobody is hurt by it. */
const isIdle = ({ sums, problem }: MeasuredRecord, { own, other }: Sides): boolean =>
  problem === undefined && own.length > 0 && [...own, ...other].every((group) => (sums[group]?.requests ?? 0) === 0);

/**
 * Judges the step of production traffic at which the PRIMARY deployment is, by what engines have counted while its weights were live, and
 * writes that down. A verdict is given once, and stays whatever is counted after it.
 * @returns undefined where nothing is judged
 */
export function judgeStep(
  pass: Pass,
  deployment: DeploymentRecord,
  { steps, restsUntil }: Step,
): StepJudgement | undefined {
  const { judge: rule } = pass.service;
  const { shifting, loadBalancers = [] } = deployment;
  if (rule === undefined || shifting === undefined) return undefined;
  const { judged = [], step, live, sequence } = shifting;
  const before = judged.find((one) => one.step === step);
  if (before !== undefined && before.verdict !== 'open') return before;
  const { measured } = pass.state;
  const isOf = measured?.sequence === sequence ? measured : undefined;
  const sides: Sides = {
    own: loadBalancers.flatMap(({ advanced, targetGroupArn }) =>
      advanced === undefined ? [] : lastOf(targetGroupArn),
    ),
    other: loadBalancers.flatMap(({ advanced }) =>
      advanced === undefined ? [] : lastOf(advanced.alternateTargetGroupArn),
    ),
  };
  const problem = sides.own.length === 0 ? 'no rule of a load balancer shares its traffic out' : isOf?.problem;
  const found =
    isOf === undefined || problem !== undefined
      ? ({ verdict: 'open', compared: [] } as const)
      : judge(rule, isOf, sides, { steps, bounds: isOf.bounds });
  const until = Math.max(live.since + rule.within * minute, restsUntil);
  const isLate = found.verdict === 'open' && rule.otherwise !== 'wait' && until <= pass.now;
  if (found.verdict === 'open' && rule.otherwise !== 'wait') pass.wake(until);
  const now: StepJudgement = {
    step,
    percent: live.production,
    verdict: isLate ? 'inconclusive' : found.verdict,
    compared: found.compared,
    at: pass.now,
    ...(problem === undefined ? {} : { problem }),
    ...(isLate && isOf !== undefined && isIdle(isOf, sides) ? { isIdle: true } : {}),
  };
  if (before !== undefined && JSON.stringify({ ...before, at: 0 }) === JSON.stringify({ ...now, at: 0 })) return before;
  const others = judged.filter((one) => one.step !== step);
  pass.change(deployment.id, { shifting: { ...shifting, judged: [...others, now] } });
  if (now.verdict !== 'open') {
    const why = `judged ${now.verdict} with ${now.percent} % of production traffic: ${judgementText(now)}`;
    pass.voice.say(eventTexts.judged(deployment.id, why));
    pass.decisions.push({ what: 'judgement', deploymentId: deployment.id, why });
  }
  return now;
}
