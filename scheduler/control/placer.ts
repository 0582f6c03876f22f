import type { Clock } from '@slipway/storage/clock';
import type { RecordStore } from '@slipway/storage/records';

import type { PlacementRequest } from '../placement/index.ts';
import { clusterKeys, type TaskRecord, toJson } from '../state/index.ts';
import type { PlacementDemand, PlacementFailure, TaskDraft } from '../tasks/index.ts';
import { type ClusterFeed, type ClusterView, placedTask } from '../views/index.ts';

import { commitParts, type Writes } from './commit.ts';
import type { Lane } from './lane.ts';
import { ratherOf } from './requests.ts';

/** How often a draft is planned anew when other placers took the room first. */
const attempts = 8;

/** Tasks of a cluster that wait for room, about: as many as ECS keeps PROVISIONING. */
const mostWaiting = 500;

/** Drafts in one commit. */
const batchSize = 500;

/** What became of a request's drafts. */
export interface Placement {
  readonly placed: readonly TaskRecord[];
  readonly failures: readonly PlacementFailure[];
}

interface Job {
  readonly draft: TaskDraft;
  readonly demand: PlacementDemand;
  readonly settle: (outcome: TaskRecord | PlacementFailure) => void;
  readonly fail: (error: unknown) => void;
}

interface DraftPart extends Writes {
  readonly job: Job;
  readonly task: TaskRecord;
}

/**
 * Places tasks of RunTask and StartTask in one cluster, on any server: no lease is needed, because every commit carries
 * the version of each instance's load. Requests that arrive while a commit is under way go into the next one together.
 */
export class ClusterPlacer {
  readonly #records: RecordStore;
  readonly #clock: Clock;
  readonly #view: ClusterView;
  readonly #feed: ClusterFeed;
  readonly #lane: Lane;
  readonly #queue: Job[] = [];

  constructor(ports: { records: RecordStore; clock: Clock; view: ClusterView; feed: ClusterFeed; lane: Lane }) {
    this.#records = ports.records;
    this.#clock = ports.clock;
    this.#view = ports.view;
    this.#feed = ports.feed;
    this.#lane = ports.lane;
  }

  /** Tasks that wait for their turn; those of a commit that is under way do not. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** See `TaskPlacer.place`. */
  async place(drafts: readonly TaskDraft[], demand: PlacementDemand): Promise<Placement> {
    const outcomes = await Promise.all(
      drafts.map(
        (draft) =>
          new Promise<TaskRecord | PlacementFailure>((settle, fail) => {
            this.#queue.push({ draft, demand, settle, fail });
            if (this.#queue.length === 1) void this.#lane.run(() => this.#drain());
          }),
      ),
    );
    return {
      placed: outcomes.filter((outcome): outcome is TaskRecord => 'lastStatus' in outcome),
      failures: outcomes.filter((outcome): outcome is PlacementFailure => 'code' in outcome),
    };
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const jobs = this.#queue.splice(0, batchSize);
      try {
        await this.#placeAll(jobs);
      } catch (error) {
        // What the store said last may be unknown: the view is read anew, and the callers retry with the same ids.
        for (const job of jobs) job.fail(error);
        await this.#feed.read().catch(() => {});
      }
    }
  }

  async #placeAll(jobs: readonly Job[]): Promise<void> {
    let open = jobs;
    for (let attempt = 1; open.length > 0; attempt++) {
      await this.#feed.catchUp();
      const parts = this.#plan(open);
      const { committed, refused } = await commitParts(this.#records, this.#view, parts, this.#clock.now());
      for (const { job, task } of committed) job.settle(task);
      open = refused.map(({ job }) => job);
      if (attempt < attempts) continue;
      const message = 'Other placements took the room each time; try again.';
      for (const job of open) job.settle({ code: 'RESOURCE:CONFLICT', message });
      return;
    }
  }

  /** Settles what needs no commit, and returns the rest with an instance each. Leaves the index as it was. */
  #plan(jobs: readonly Job[]): readonly DraftPart[] {
    return this.#view.index.tentatively(() => jobs.flatMap((job) => this.#planOne(job) ?? []));
  }

  /** The same for one, taking its room. */
  #planOne(job: Job): DraftPart | undefined {
    const existing = this.#view.tasks.get(job.draft.id)?.value;
    if (existing !== undefined) {
      job.settle(existing);
      return undefined;
    }
    const found = this.#find(job);
    if ('code' in found) {
      const waiting = job.demand.waits === true ? waitingPart(this.#view, job, found) : undefined;
      if (waiting === undefined) job.settle(found);
      return waiting;
    }
    this.#view.index.addTask(placedTask(job.draft, found.instanceId));
    return newPart(job, { ...job.draft, instanceId: found.instanceId }, [found.instanceId]);
  }

  #find({ draft, demand }: Job): { readonly instanceId: string } | PlacementFailure {
    const request: PlacementRequest = {
      group: draft.group,
      shape: { ...draft.reservation, requires: demand.requires },
      constraints: demand.constraints,
      strategies: demand.strategies,
      kind: demand.kind,
    };
    if (demand.instanceId === undefined) {
      const { rather } = ratherOf(request, demand.rather);
      const preferred = rather === undefined ? undefined : this.#view.index.place(rather);
      if (preferred !== undefined && !('unplaceable' in preferred)) return preferred;
      const found = this.#view.index.place(request);
      return 'unplaceable' in found ? failure(found.unplaceable) : found;
    }
    const instance = this.#view.instances.get(demand.instanceId)?.value;
    if (instance === undefined)
      return { code: 'MISSING', message: `There is no container instance ${demand.instanceId} in the cluster.` };
    if (instance.status === 'INACTIVE')
      return {
        code: 'INACTIVE',
        message: `The container instance ${demand.instanceId} is not in the cluster any more.`,
      };
    const reason = this.#view.index.whyNot(demand.instanceId, { ...request, constraints: [], strategies: [] });
    return reason === undefined ? { instanceId: demand.instanceId } : failure(reason);
  }
}

/** A task that waits, to be committed without an instance; undefined when too many wait already. */
function waitingPart({ waiting }: ClusterView, job: Job, { message }: PlacementFailure): DraftPart | undefined {
  if (waiting.size >= mostWaiting) return undefined;
  const { requires, constraints, strategies } = job.demand;
  const waits = { requires, constraints, strategies, why: message };
  return newPart(job, { ...job.draft, lastStatus: 'PROVISIONING', waits }, []);
}

/** Commits a task that is not there yet, in a cluster that is. @param instances those whose room it takes */
function newPart(job: Job, task: TaskRecord, instances: readonly string[]): DraftPart {
  const key = clusterKeys.task(task.id);
  return {
    job,
    task,
    require: [
      { key, exists: false },
      { key: clusterKeys.cluster, exists: true },
    ],
    put: [{ key, value: toJson(task) }],
    instances,
  };
}

const failure = ({ code, message }: { code: string; message: string }): PlacementFailure => ({ code, message });
