import type { StopCode, TaskRecord } from '../state/index.ts';

import { tasksPerPass } from './bounds.ts';
import { eventTexts } from './events.ts';
import type { Pass } from './pass.ts';

/** Why tasks end whose host is taken back, in ECS's words. */
export const interruption: { readonly code: StopCode; readonly reason: string } = {
  code: 'SpotInterruption',
  reason: 'Your Spot Task was interrupted.',
};

/**
 * Tasks on hosts that are taken back: until their time comes they are moved like those of a draining host, each when its successor is
 * healthy; then they are told to stop whatever the bounds and their protection say, since their host goes with or without them.
 */
export function interrupt(pass: Pass): void {
  const due: TaskRecord[] = [];
  let noticed = false;
  for (const task of pass.tasks()) {
    const at = task.desiredStatus === 'RUNNING' ? pass.state.interruptedAt(task) : undefined;
    if (at === undefined || task.lastStatus === 'STOPPED') continue;
    noticed = true;
    if (at > pass.now) pass.wake(at);
    else if (due.length < tasksPerPass) due.push(task);
  }
  if (noticed) pass.voice.sayStanding('interrupted', eventTexts.interrupted);
  else pass.voice.resolve('interrupted');
  pass.stop(due, interruption.reason, interruption.code);
  if (due.length > 0) pass.voice.say(eventTexts.stopped(due.map(({ id }) => id)));
}
