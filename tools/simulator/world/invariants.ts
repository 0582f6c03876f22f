/** What must hold at every commit, by name; the sentences stand in the README. */
export const invariants = {
  room: 'The tasks on an instance never reserve more than it has.',
  'one-leader': "Only the holder of the cluster's newest epoch starts and stops tasks of services.",
  'one-holder': 'No two servers believe at one time that they hold the same lease, but one that stands still.',
  untouched:
    'A leader never changes what only users set: the desired count of a service, its bounds, constraints and tags.',
  maximum:
    'Starting tasks never takes a service above the floor of desiredCount * maximumPercent / 100, lost hosts left out.',
  minimum:
    'Stopping tasks by choice never takes a service below the ceiling of desiredCount * minimumHealthyPercent / 100 healthy tasks.',
  patient:
    'No task is replaced for the host it runs on, and no host leaves by itself, before that host was away for as long as was set.',
  'one-daemon': 'A daemon service never gets a second task on an instance.',
  'no-return':
    'A task that was told to stop, or that is STOPPED, never comes back, and no task goes back to an earlier status.',
  'started-once': 'No container of a task is started twice, and no task gets two containers of one name.',
  pinned: 'Every container of a deployment runs the digest that the deployment pinned, and that pin never changes.',
  verdict:
    'A deployment that failed stays failed, and one that completed only begins again when a rollback returns to it.',
  evidence:
    'A deployment counts each failed task once, and fails only when as many have failed as its circuit breaker asks for.',
  stages:
    'A deployment that shifts traffic goes through its stages in order, leaves none before its hooks have answered and its traffic has shifted, sends traffic only to a revision that is whole, and ends no healthy task of the old revision that the service needs before it cleans up.',
  judged:
    'A step that is judged is left only by its verdict (but of a service that is scaled to nothing), which is given once and by requests that were carried at its own weights since it was wanted; a revision that answers as well as the old one is never called worse, nor one that answers much worse let pass.',
  sets: 'A task set is scaled, made primary and deleted by its controller alone, goes only when it is deleted and its last task has stopped, lost hosts left out, and never completes or fails.',
  zones:
    'Zones of a service are evened out by one task at a time, which is started where there were fewest, and at rest no two of its zones differ by more than one task unless it says that there is no room.',
  moves:
    'A task of a service is moved to where its placement strategies gain by it one at a time, only while no deployment runs, ends when its successor is healthy, and there is an end of such moves.',
  alarms:
    'A deployment that may fail by alarms never completes when one of them went on after it began, unless one was on before, and fails by none that did not.',
  protected: 'A healthy task that is protected is not stopped for a rollout or a lower desired count.',
  constraints: 'A task of a service starts only where the constraints of its service hold.',
  once: 'A RunTask with a client token starts its tasks once, however often it is repeated.',
  revisions: 'A revision of a task definition is given out once, and says for ever what was registered.',
  kept: 'A task that is over stays readable as long as was promised, the newest of each group longer.',
  address:
    'No two tasks have one address at a time, ranges of hosts are apart, and an address is given back only when nothing runs with it.',
  acknowledged: 'What a client was told is done was so at a moment between its question and the answer.',
  rejoined:
    'When faults have stopped, every host is a connected container instance, and none begins a task as a new one before all that it ran as the old one has ended.',
  reached:
    "No request is sent to a task that was told to stop, or to another task than it was meant for, and no task is told to stop while a request is under way at it, before its target group's deregistration delay is over.",
  interrupted:
    'A task is told that it is interrupted only on a host that is taken back; when faults have stopped, none is wanted there for long.',
  'group-size':
    'A group is never wanted larger than its maximum or smaller than its minimum, never has more machines than that, or with those on their way out twice as many, nor, by choosing some to end, fewer.',
  'group-drained':
    'No machine of a group is ended that has tasks and a connected agent, before it was drained for a quarter of an hour, unless somebody activates it meanwhile.',
  'group-hooks':
    'No machine of a group comes into service, and none that was in service is ended, before its lifecycle hooks have let it or their time is over.',
  'group-grows':
    'When faults have stopped, no task waits for room while its group may grow; one that comes then has a host once its provider can have made one, and 90 seconds.',
  'group-shrinks':
    'When faults have stopped and there is no load, a group comes down to its minimum within a quarter of an hour, or half an hour when its machines are refreshed, and its provider has no other machines.',
  settled:
    'When faults have stopped, every service becomes steady or says what it waits for, no container runs whose task is over, and every running task has its containers.',
  repaired:
    'When the causes are repaired, every service becomes steady, runs what the tag names that it follows, nothing is left over, and hosts know where tasks have addresses and who is in groups.',
  'no-accident': 'No code of the control plane or the agent fails in a way that it does not handle.',
} as const;

export type Invariant = keyof typeof invariants;

/** An invariant that did not hold. */
export class Violation extends Error {
  override readonly name = 'Violation';
  readonly invariant: Invariant;
  constructor(invariant: Invariant, detail: string) {
    super(`${invariant}: ${detail}`);
    this.invariant = invariant;
  }
}
