/**
 * The instances and tasks of one cluster in typed arrays, a slot an instance. Slots are given out in order of arrival and
 * never used again before a compaction, which keeps the order: so "lower slot" means "added earlier", the last tie-breaker.
 */
import { Column } from './attributes.ts';
import { ChangeLog } from './change-log.ts';
import { SlotCounts } from './slot-counts.ts';
import type { InstanceSpec, PlacedTask, Reservation, TaskShape } from './types.ts';

export const removed = 0;
export const unplaceable = 1;
export const placeable = 2;

/** Where UDP ports begin in the one number space of ports. */
const udp = 65_536;

/** A task group: the tasks that count for `distinctInstance` and `spread`, per slot and per attribute value. */
export class Group {
  readonly name: string;
  /** Distinguishes a group from an earlier one of the same name that was forgotten. */
  readonly number: number;
  readonly perSlot = new SlotCounts();
  /** Those of `perSlot` that are about to go: `spread` looks past them. */
  readonly leaving = new SlotCounts();
  /** Per attribute that some strategy spreads over: counts by value number, without those that leave. Few, so a list. */
  readonly perValue: { readonly column: Column; readonly counts: number[] }[] = [];
  /** Tasks of the group, those that no longer count included. */
  tasks = 0;

  constructor(name: string, number: number) {
    this.name = name;
    this.number = number;
  }

  /** The tasks of the slot that `spread` counts. */
  staying(slot: number): number {
    return this.perSlot.get(slot) - this.leaving.get(slot);
  }
}

/** A task in the index, in a list of its instance's tasks. */
export interface TaskEntry extends Reservation {
  /** Empty while it is a reservation. */
  id: string;
  /** Whether it is a reservation, neither confirmed nor released. */
  held: boolean;
  readonly instanceId: string;
  readonly group: Group;
  readonly shape: TaskShape;
  /** False once its desired status is STOPPED. */
  counts: boolean;
  /** True while it only waits for its successor. */
  leaving: boolean;
  /** -1 while its instance is not in the index. */
  slot: number;
  previous: TaskEntry | undefined;
  next: TaskEntry | undefined;
}

/** The ports a shape takes, in the one number space. */
export function portsOf(shape: Pick<TaskShape, 'tcpPorts' | 'udpPorts'>): readonly number[] {
  return [...shape.tcpPorts, ...shape.udpPorts.map((port) => port + udp)];
}

export class Cluster {
  /** Slots given out, removed ones included. */
  slots = 0;
  capacity: number;
  /** Grows when slots are renumbered: whatever was derived from slot numbers is void. */
  generation = 0;
  readonly slotOf = new Map<string, number>();
  readonly specs: (InstanceSpec | undefined)[] = [];
  /** The names by slot, beside the specifications: the hot paths need nothing else of them. */
  readonly ids: string[] = [];
  status: Uint8Array;
  freeCpu: Int32Array;
  freeMemory: Int32Array;
  freeGpus: Int32Array;
  /** Tasks with desired status RUNNING, a slot. */
  running: Int32Array;
  readonly columns = new Map<string, Column>();
  readonly groups = new Map<string, Group>();
  readonly tasks = new Map<string, TaskEntry>();
  /** Every change of a slot. */
  readonly changes: ChangeLog;
  /** Only arrivals, departures, status and attributes. */
  readonly attributeChanges: ChangeLog;
  /** Totals less what is reserved; negative where an instance is over-committed. */
  #leftCpu: Float64Array;
  #leftMemory: Float64Array;
  #leftGpus: Float64Array;
  readonly #systemPorts: (ReadonlySet<number> | undefined)[] = [];
  readonly #taskPorts: (Map<number, number> | undefined)[] = [];
  readonly #firstTask: (TaskEntry | undefined)[] = [];
  /** Tasks whose instance is not in the index: they count as soon as it is. */
  readonly #waiting = new Map<string, Set<TaskEntry>>();
  readonly #portSets = new Map<string, ReadonlySet<number>>();
  #groupNumber = 0;

  constructor() {
    this.capacity = 64;
    this.status = new Uint8Array(this.capacity);
    this.freeCpu = new Int32Array(this.capacity);
    this.freeMemory = new Int32Array(this.capacity);
    this.freeGpus = new Int32Array(this.capacity);
    this.running = new Int32Array(this.capacity);
    this.#leftCpu = new Float64Array(this.capacity);
    this.#leftMemory = new Float64Array(this.capacity);
    this.#leftGpus = new Float64Array(this.capacity);
    this.changes = new ChangeLog(this.capacity);
    this.attributeChanges = new ChangeLog(this.capacity);
  }

  upsert(spec: InstanceSpec): void {
    let slot = this.slotOf.get(spec.id);
    const arrives = slot === undefined;
    if (slot === undefined) {
      if (this.slots === this.capacity) this.#grow();
      slot = this.slots++;
      this.slotOf.set(spec.id, slot);
    }
    // Value by value, so that a caller's later change of its own map cannot reach into the index.
    for (const name of spec.attributes.keys()) this.column(name);
    for (const column of this.columns.values()) this.#setAttribute(column, slot, spec.attributes.get(column.name));
    const before = this.specs[slot];
    this.#leftCpu[slot]! += spec.cpu - (before?.cpu ?? 0);
    this.#leftMemory[slot]! += spec.memory - (before?.memory ?? 0);
    this.#leftGpus[slot]! += spec.gpus - (before?.gpus ?? 0);
    this.specs[slot] = { ...spec, attributes: new Map(spec.attributes) };
    this.ids[slot] = spec.id;
    this.status[slot] = spec.placeable ? placeable : unplaceable;
    this.#systemPorts[slot] = this.#portSet(spec);
    this.attributeChanges.append(slot);
    this.#refresh(slot);
    if (!arrives) return;
    const waiting = this.#waiting.get(spec.id);
    if (waiting === undefined) return;
    this.#waiting.delete(spec.id);
    for (const task of waiting) this.#attach(task, slot);
  }

  remove(id: string): void {
    const slot = this.slotOf.get(id);
    if (slot === undefined) return;
    for (let task = this.#firstTask[slot]; task !== undefined; task = this.#firstTask[slot]) {
      this.#detach(task);
      this.#wait(task);
    }
    for (const column of this.columns.values()) this.#setAttribute(column, slot, undefined);
    this.slotOf.delete(id);
    this.#leftCpu[slot] = 0;
    this.#leftMemory[slot] = 0;
    this.#leftGpus[slot] = 0;
    this.specs[slot] = undefined;
    this.status[slot] = removed;
    this.#systemPorts[slot] = undefined;
    this.#taskPorts[slot] = undefined;
    this.attributeChanges.append(slot);
    this.changes.append(slot);
    if (this.slots > 64 && this.slotOf.size * 2 < this.slots) this.#compact();
  }

  /** Adds the task, or replaces the one with this id. */
  addTask(task: PlacedTask): void {
    if (this.tasks.has(task.id)) this.removeTask(task.id);
    const entry = entryOf(task.instanceId, this.group(task.group), task.shape);
    entry.id = task.id;
    entry.group.tasks++;
    this.tasks.set(task.id, entry);
    const slot = this.slotOf.get(task.instanceId);
    if (slot === undefined) this.#wait(entry);
    else this.#attach(entry, slot);
  }

  removeTask(id: string): void {
    const task = this.tasks.get(id);
    if (task === undefined) return;
    this.tasks.delete(id);
    this.#drop(task);
  }

  /** Takes the room of a task that has no id yet. */
  reserve(slot: number, group: Group, shape: TaskShape): TaskEntry {
    const entry = entryOf(this.ids[slot]!, group, shape);
    group.tasks++;
    entry.held = true;
    this.#attach(entry, slot);
    return entry;
  }

  /** Gives the room back, unless the entry has become a task. */
  release(entry: TaskEntry): void {
    if (!entry.held) return;
    entry.held = false;
    this.#drop(entry);
  }

  /** The reserved entry becomes a task; returns false when it was released before. */
  confirm(entry: TaskEntry, id: string): boolean {
    if (!entry.held) return false;
    entry.held = false;
    if (this.tasks.has(id)) this.removeTask(id);
    entry.id = id;
    this.tasks.set(id, entry);
    return true;
  }

  retireTask(id: string): void {
    const task = this.tasks.get(id);
    if (task === undefined || !task.counts) return;
    task.counts = false;
    if (task.slot === -1) return;
    this.#count(task, task.slot, -1);
    this.changes.append(task.slot);
  }

  setLeaving(id: string, leaving: boolean): void {
    const task = this.tasks.get(id);
    if (task === undefined || task.leaving === leaving) return;
    const counted = task.counts && task.slot !== -1;
    if (counted) this.#count(task, task.slot, -1);
    task.leaving = leaving;
    if (!counted) return;
    this.#count(task, task.slot, 1);
    this.changes.append(task.slot);
  }

  *tasksOn(slot: number): Generator<TaskEntry> {
    for (let task = this.#firstTask[slot]; task !== undefined; task = task.next) yield task;
  }

  /** The column of an attribute, made when nobody has asked for it yet. */
  column(name: string): Column {
    let column = this.columns.get(name);
    if (column === undefined) {
      column = new Column(name, this.capacity);
      this.columns.set(name, column);
    }
    return column;
  }

  group(name: string): Group {
    let group = this.groups.get(name);
    if (group === undefined) {
      group = new Group(name, this.#groupNumber++);
      this.groups.set(name, group);
    }
    return group;
  }

  /** Forgets groups without tasks, so that one-off group names do not pile up. */
  forgetEmptyGroups(): void {
    for (const [name, group] of this.groups) if (group.tasks === 0) this.groups.delete(name);
  }

  /** The group's tasks that `spread` counts, by value number of the attribute. */
  countsByValue(group: Group, column: Column): readonly number[] {
    let counts = group.perValue.find((entry) => entry.column === column)?.counts;
    if (counts === undefined) {
      counts = [];
      for (let slot = 0; group.tasks > 0 && slot < this.slots; slot++) {
        const tasks = this.status[slot] === removed ? 0 : group.staying(slot);
        if (tasks > 0) bump(counts, column.bySlot[slot]!, tasks);
      }
      group.perValue.push({ column, counts });
    }
    return counts;
  }

  /** Total less what is reserved; negative when the instance is over-committed. */
  unused(resource: 'cpu' | 'memory', slot: number): number {
    return (resource === 'cpu' ? this.#leftCpu : this.#leftMemory)[slot]!;
  }

  /** Whether all of the ports are free on the slot. */
  portsFree(slot: number, ports: readonly number[]): boolean {
    const system = this.#systemPorts[slot];
    const taken = this.#taskPorts[slot];
    for (const port of ports) if (system?.has(port) === true || taken?.has(port) === true) return false;
    return true;
  }

  #drop(task: TaskEntry): void {
    task.group.tasks--;
    if (task.slot !== -1) {
      this.#detach(task);
      return;
    }
    const waiting = this.#waiting.get(task.instanceId);
    waiting?.delete(task);
    if (waiting?.size === 0) this.#waiting.delete(task.instanceId);
  }

  #attach(task: TaskEntry, slot: number): void {
    task.slot = slot;
    const first = this.#firstTask[slot];
    task.next = first;
    if (first !== undefined) first.previous = task;
    this.#firstTask[slot] = task;
    if (task.counts) this.#count(task, slot, 1);
    this.#use(task, slot, 1);
  }

  #detach(task: TaskEntry): void {
    const { slot, previous, next } = task;
    if (previous === undefined) this.#firstTask[slot] = next;
    else previous.next = next;
    if (next !== undefined) next.previous = previous;
    task.previous = undefined;
    task.next = undefined;
    task.slot = -1;
    if (task.counts) this.#count(task, slot, -1);
    this.#use(task, slot, -1);
  }

  #use(task: TaskEntry, slot: number, sign: 1 | -1): void {
    const { shape } = task;
    this.#leftCpu[slot]! -= sign * shape.cpu;
    this.#leftMemory[slot]! -= sign * shape.memory;
    if (shape.gpus > 0) this.#leftGpus[slot]! -= sign * shape.gpus;
    if (shape.tcpPorts.length > 0 || shape.udpPorts.length > 0) {
      const taken = (this.#taskPorts[slot] ??= new Map());
      for (const port of portsOf(shape)) {
        const count = (taken.get(port) ?? 0) + sign;
        if (count === 0) taken.delete(port);
        else taken.set(port, count);
      }
    }
    this.#refresh(slot);
  }

  #count({ group, leaving }: TaskEntry, slot: number, sign: 1 | -1): void {
    group.perSlot.add(slot, sign, this.capacity);
    this.running[slot]! += sign;
    if (leaving) group.leaving.add(slot, sign, this.capacity);
    else for (const { column, counts } of group.perValue) bump(counts, column.bySlot[slot]!, sign);
  }

  /** Free is what is left of the total; never negative, so that an over-committed instance still takes what needs nothing. */
  #refresh(slot: number): void {
    this.freeCpu[slot] = Math.max(0, this.#leftCpu[slot]!);
    this.freeMemory[slot] = Math.max(0, this.#leftMemory[slot]!);
    this.freeGpus[slot] = Math.max(0, this.#leftGpus[slot]!);
    this.changes.append(slot);
  }

  #setAttribute(column: Column, slot: number, value: string | undefined): void {
    const before = column.bySlot[slot]!;
    if (!column.set(slot, value)) return;
    for (const { group, counts: live, leaving } of this.tasksOn(slot)) {
      const counts = live && !leaving ? group.perValue.find((entry) => entry.column === column)?.counts : undefined;
      if (counts === undefined) continue;
      bump(counts, before, -1);
      bump(counts, column.bySlot[slot]!, 1);
    }
  }

  #wait(task: TaskEntry): void {
    const waiting = this.#waiting.get(task.instanceId);
    if (waiting === undefined) this.#waiting.set(task.instanceId, new Set([task]));
    else waiting.add(task);
  }

  #portSet(spec: InstanceSpec): ReadonlySet<number> {
    const ports = [...spec.reservedTcpPorts, ...spec.reservedUdpPorts.map((port) => port + udp)];
    const key = ports.join();
    const known = this.#portSets.get(key);
    if (known !== undefined) return known;
    const made = new Set(ports);
    this.#portSets.set(key, made);
    return made;
  }

  #grow(): void {
    this.capacity *= 2;
    const wider = <T extends Uint8Array | Int32Array | Float64Array>(array: T, fresh: T): T => {
      fresh.set(array);
      return fresh;
    };
    const { capacity } = this;
    this.status = wider(this.status, new Uint8Array(capacity));
    this.freeCpu = wider(this.freeCpu, new Int32Array(capacity));
    this.freeMemory = wider(this.freeMemory, new Int32Array(capacity));
    this.freeGpus = wider(this.freeGpus, new Int32Array(capacity));
    this.running = wider(this.running, new Int32Array(capacity));
    this.#leftCpu = wider(this.#leftCpu, new Float64Array(capacity));
    this.#leftMemory = wider(this.#leftMemory, new Float64Array(capacity));
    this.#leftGpus = wider(this.#leftGpus, new Float64Array(capacity));
    for (const column of this.columns.values()) column.grow(capacity);
    this.changes.grow(capacity);
    this.attributeChanges.grow(capacity);
  }

  /** Renumbers the slots without the removed ones, in the same order. */
  #compact(): void {
    this.generation++;
    let kept = 0;
    const arrays = [this.status, this.freeCpu, this.freeMemory, this.freeGpus, this.running];
    const numbers = [...arrays, this.#leftCpu, this.#leftMemory, this.#leftGpus];
    const lists: unknown[][] = [this.specs, this.ids, this.#systemPorts, this.#taskPorts, this.#firstTask];
    for (const column of this.columns.values()) numbers.push(column.bySlot);
    for (let slot = 0; slot < this.slots; slot++) {
      const spec = this.specs[slot];
      if (spec === undefined) continue;
      for (const task of this.tasksOn(slot)) task.slot = kept;
      this.slotOf.set(spec.id, kept);
      for (const array of numbers) array[kept] = array[slot]!;
      for (const list of lists) list[kept] = list[slot];
      kept++;
    }
    for (const array of numbers) array.fill(0, kept, this.slots);
    for (const list of lists) list.length = kept;
    this.slots = kept;
    for (const group of this.groups.values()) {
      group.perSlot.clear();
      group.leaving.clear();
    }
    for (let slot = 0; slot < kept; slot++) {
      for (const { group, counts, leaving } of this.tasksOn(slot)) {
        if (counts) group.perSlot.add(slot, 1, this.capacity);
        if (counts && leaving) group.leaving.add(slot, 1, this.capacity);
      }
    }
    this.changes.restart();
    this.attributeChanges.restart();
  }
}

function entryOf(instanceId: string, group: Group, shape: TaskShape): TaskEntry {
  return {
    id: '',
    held: false,
    instanceId,
    group,
    shape,
    counts: true,
    leaving: false,
    slot: -1,
    previous: undefined,
    next: undefined,
  };
}

function bump(counts: number[], index: number, difference: number): void {
  while (counts.length <= index) counts.push(0);
  counts[index]! += difference;
}
