import { ofType, shiftsTraffic } from './shifting.ts';

/** Traffic goes to the new revision in equal steps, with a rest after each but the last. */
export const linear = shiftsTraffic({
  percents: (strategy) => steps(ofType(strategy, 'LINEAR').stepPercent),
  stepBakeMinutes: (strategy) => ofType(strategy, 'LINEAR').stepBakeTimeInMinutes,
});

/** What the new revision has after each step; counted in tenths of a percent, so that no step is lost to rounding. */
function steps(percent: number): readonly number[] {
  const tenths = Math.max(1, Math.round(percent * 10));
  return Array.from({ length: Math.ceil(1000 / tenths) }, (_, step) => Math.min(1000, (step + 1) * tenths) / 10);
}
