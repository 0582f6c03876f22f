import type { MeasuredRecord, ShiftRecord, Tallies, Tally } from '../../state/index.ts';
import { addCounts, type Counts, latencyBounds, noCounts } from '../engines/index.ts';
import type { GroupSample } from '../numbers/index.ts';
import type { ActionRecord, Balancing, RuleRecord } from '../records/index.ts';

/** How many answers show what is usual for a revision. */
const enough = 100;

/** What one engine has counted for the groups of a shift, over all its restarts, and by which version of its rows it says so. */
export interface Said {
  readonly version: number;
  readonly tallies: Tallies;
}

interface Look {
  readonly service: string;
  readonly epoch: number;
  readonly sequence: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Whether every engine routes by that sequence now: that is when counting begins. */
  readonly isLive: boolean;
  /** Those that route by that sequence now, and by nothing else. */
  readonly engines: ReadonlyMap<string, Said>;
  readonly problem: string | undefined;
}

export const noTally: Tally = { requests: 0, failed: 0, classes: latencyBounds.map(() => 0).concat(0) };

/** An attempt without an answer has failed, even if another one was answered for it: that is what the revision did. */
export function tallyOf({ gone, targets }: Pick<GroupSample, 'gone' | 'targets'>): Tally {
  const { codes, connectionErrors, latency }: Counts = Object.values(targets).reduce(
    (sum, { counts }) => addCounts(sum, counts),
    addCounts(noCounts, gone),
  );
  const answered = codes.reduce((sum, count) => sum + count, 0);
  return { requests: answered + connectionErrors, failed: codes[3] + connectionErrors, classes: latency.classes };
}

/**
 * Adds what engines have counted since the last look while they routed by a sequence, from when all did: one that is behind later leaves the
 * others' counts be, each has those of both revisions. Of an engine that is new, was behind, or counts less than before, as its rows were
 * lost, nothing is added before it has said something once more: clocks are not compared, and what was counted at other weights is left
 * out. Pure.
 * @returns `before` itself where that is as it was; undefined where nothing is measured yet
 */
export function measure(before: MeasuredRecord | undefined, look: Look): MeasuredRecord | undefined {
  const { service, epoch, sequence, now, isLive, engines, problem } = look;
  const known = before?.sequence === sequence ? before : undefined;
  if (known === undefined && !isLive) return before;
  let sums: Tallies = known?.sums ?? {};
  const said: Record<string, MeasuredRecord['engines'][string]> = {};
  for (const [id, { version, tallies }] of engines) {
    const last = known?.engines[id];
    if (last === undefined) said[id] = { version };
    else if (last.version === version) said[id] = last;
    else {
      said[id] = isSane(tallies) ? { version, tallies } : { version };
      const grown = last.tallies === undefined ? undefined : between(last.tallies, tallies);
      if (grown !== undefined) sums = added(sums, grown);
    }
  }
  const next: MeasuredRecord = {
    service,
    epoch,
    sequence,
    engines: said,
    sums,
    before: known?.before ?? usual(before, engines),
    bounds: latencyBounds,
    ...(problem === undefined ? {} : { problem }),
    at: now,
  };
  return before !== undefined && isSame(before, next) ? before : next;
}

const isSame = (one: MeasuredRecord, other: MeasuredRecord): boolean =>
  JSON.stringify({ ...one, at: 0, epoch: 0 }) === JSON.stringify({ ...other, at: 0, epoch: 0 });

/** What was counted at the weights before; where that is little, what was ever counted. */
function usual(before: MeasuredRecord | undefined, engines: ReadonlyMap<string, Said>): Tallies {
  let ever: Tallies = {};
  for (const { tallies } of engines.values()) ever = added(ever, tallies);
  const answers = ({ classes }: Tally): number => classes.reduce((sum, count) => sum + count, 0);
  return Object.fromEntries(
    Object.entries(ever).map(([group, tally]) => {
      const [last, earlier] = [before?.sums[group], before?.before[group]];
      if (last !== undefined && answers(last) >= enough) return [group, last];
      return [group, before !== undefined && earlier !== undefined && answers(earlier) > 0 ? earlier : tally];
    }),
  );
}

function added(one: Tallies, other: Tallies): Tallies {
  const sums: Record<string, Tally> = { ...one };
  for (const [group, { requests, failed, classes }] of Object.entries(other)) {
    const before = sums[group] ?? noTally;
    sums[group] = {
      requests: before.requests + requests,
      failed: before.failed + failed,
      classes: before.classes.map((count, place) => count + (classes[place] ?? 0)),
    };
  }
  return sums;
}

/** Whether these are counts at all. */
const isSane = (tallies: Tallies): boolean =>
  Object.values(tallies).every(({ requests, failed, classes }) =>
    [requests, failed, ...classes].every((count) => Number.isSafeInteger(count) && count >= 0),
  );

/** What was counted in between; undefined where that cannot be: a count has sunk, or more failed than there were. */
function between(before: Tallies, after: Tallies): Tallies | undefined {
  const grown: Record<string, Tally> = {};
  for (const [group, { requests, failed, classes }] of Object.entries(after)) {
    const last = before[group] ?? noTally;
    const tally: Tally = {
      requests: requests - last.requests,
      failed: failed - last.failed,
      classes: classes.map((count, place) => count - (last.classes[place] ?? 0)),
    };
    if (tally.failed > tally.requests) return undefined;
    grown[group] = tally;
  }
  return isSane(grown) ? grown : undefined;
}

/** Why counts of the groups of a shift say nothing of its two revisions; undefined where they do. */
export function unmeasurable(
  balancing: Balancing,
  { rules }: ShiftRecord,
  lastOf: (arn: string) => string,
): string | undefined {
  const own = new Set(rules.map(({ arn }) => lastOf(arn)));
  const groups = new Set(rules.flatMap((rule) => rule.groups.map(({ targetGroupArn }) => lastOf(targetGroupArn))));
  for (const id of groups) {
    const group = balancing.get('targetgroup', id);
    const uses = rules.filter((rule) => rule.groups.some(({ targetGroupArn }) => lastOf(targetGroupArn) === id));
    if (uses.length > 1)
      return `the target group ${group?.name ?? id} gets the requests of a test listener too, which are counted with those of production`;
    if (group !== undefined && group.protocol !== 'HTTP' && group.protocol !== 'HTTPS')
      return `the target group ${group.name} is of ${group.protocol}: nobody sees there whether a request failed`;
    if (group?.protocolVersion === 'GRPC')
      return `the target group ${group.name} is of gRPC: calls that fail are answered with 200 there`;
  }
  const sends = (action: ActionRecord): string | undefined =>
    action.type === 'forward'
      ? action.targetGroups.find(({ id, weight }) => weight > 0 && groups.has(id))?.id
      : undefined;
  const shared = (id: string): string =>
    `the target group ${balancing.get('targetgroup', id)?.name ?? id} gets requests by another rule too, which are counted with those of the service's`;
  // What comes after a rule that every request fits is asked for nothing, as the default action of a listener often is.
  const last = new Map(
    balancing
      .all('listener-rule')
      .filter((rule) => own.has(rule.id) && fitsAll(rule))
      .map(({ listenerId, priority }) => [listenerId, priority]),
  );
  for (const { id, defaultRuleId, defaultAction } of balancing.all('listener')) {
    const group = own.has(id) || own.has(defaultRuleId) || last.has(id) ? undefined : sends(defaultAction);
    if (group !== undefined) return shared(group);
  }
  for (const { id, listenerId, priority, action } of balancing.all('listener-rule')) {
    const isAsked = !own.has(id) && priority < (last.get(listenerId) ?? Number.POSITIVE_INFINITY);
    const group = isAsked ? sends(action) : undefined;
    if (group !== undefined) return shared(group);
  }
  return undefined;
}

const fitsAll = ({ conditions }: RuleRecord): boolean =>
  conditions.every(
    (one) => one.field === 'path-pattern' && one.values.some((value) => value === '*' || value === '/*'),
  );
