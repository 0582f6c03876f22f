import { invalidParameter } from '../cluster/index.ts';
import { hasTaskSets } from '../deployments/index.ts';
import type { JudgeRule, ServiceRecord } from '../state/index.ts';

/** The tag on a service that says how steps of its LINEAR and CANARY deployments are judged, so that every client of the API can set it. */
export const judgeTag = 'slipway:judge';

/** What the value `true` stands for, and what members that are left out are. */
const usual = { failed: 1, slow: 5, alpha: 1, beta: 5, within: 60, otherwise: 'rollback' } as const satisfies JudgeRule;

/** Percent and minutes that members may be. */
const bounds = {
  failed: [0.1, 50],
  slow: [0.1, 50],
  alpha: [0.01, 20],
  beta: [0.01, 20],
  within: [1, 1440],
} as const satisfies Partial<Record<keyof JudgeRule, readonly [number, number]>>;

const isBounded = (name: string): name is keyof typeof bounds => Object.hasOwn(bounds, name);

const outcomes: readonly string[] = ['rollback', 'continue', 'wait'] satisfies JudgeRule['otherwise'][];

/**
 * The rule that a value of the tag `slipway:judge` stands for: `true`, `false` (none), or members with spaces between them, such as
 * `failed:1 slow:off alpha:1 beta:5 within:30 else:continue`.
 * @throws InvalidParameterException for any other text
 */
export function parseJudge(value: string): JudgeRule | undefined {
  if (value === 'false') return undefined;
  const members = value === 'true' ? [] : value.split(' ').filter((word) => word !== '');
  const given = new Map<string, number | string>();
  for (const word of members) {
    const [, name = '', text = ''] = /^([a-z]+):([a-z0-9.]+)$/.exec(word) ?? [];
    if (given.has(name)) throw refused(value, `'${name}' is there twice`);
    given.set(name, read(value, word, name, text));
  }
  if (value !== 'true' && given.size === 0) throw refused(value, 'it is empty');
  const number = (name: keyof typeof bounds): number => {
    const found = given.get(name);
    return typeof found === 'number' ? found : usual[name];
  };
  const [failed, slow] = [given.get('failed') === 'off', given.get('slow') === 'off'];
  if (failed && slow) throw refused(value, "'failed' and 'slow' are both off: nothing is left to judge by");
  return {
    ...(failed ? {} : { failed: number('failed') }),
    ...(slow ? {} : { slow: number('slow') }),
    alpha: number('alpha'),
    beta: number('beta'),
    within: number('within'),
    otherwise: (given.get('else') ?? usual.otherwise) as JudgeRule['otherwise'],
  };
}

function read(value: string, word: string, name: string, text: string): number | string {
  if (name === 'else') {
    if (outcomes.includes(text)) return text;
    throw refused(value, `'${word}' is not one of else:rollback, else:continue and else:wait`);
  }
  if (!isBounded(name)) throw refused(value, `'${word}' is not a member of it`);
  if (text === 'off' && (name === 'failed' || name === 'slow')) return text;
  const [low, high] = bounds[name];
  const number = /^\d{1,4}(\.\d{1,2})?$/.test(text) ? Number(text) : Number.NaN;
  if (number >= low && number <= high) return number;
  throw refused(value, `'${word}' is not a number from ${low} to ${high}`);
}

const refused = (value: string, why: string): Error =>
  invalidParameter(
    `Invalid value '${value}' of tag '${judgeTag}': ${why}. Use 'true', 'false', or members such as ` +
      `'failed:1 slow:5 alpha:1 beta:5 within:60 else:rollback' (percentage points or 'off', percent of wrong verdicts, minutes, what to do without a verdict).`,
  );

/**
 * The service with the rule that its tags stand for.
 * @throws InvalidParameterException when the value is no rule, or the service has nothing that could be judged by it
 */
export function judgedAsTagged(service: ServiceRecord): ServiceRecord {
  const { judge: _, ...rest } = service;
  const value = service.tags[judgeTag];
  const judge = value === undefined ? undefined : parseJudge(value);
  if (judge === undefined) return rest;
  if (hasTaskSets(service))
    throw invalidParameter(
      `A service with the deployment controller EXTERNAL is judged by its controller, which shares traffic out. Remove the tag '${judgeTag}'.`,
    );
  checkJudged({ ...service, judge });
  return { ...rest, judge };
}

/**
 * Checks that what engines count of the two revisions of a service is theirs alone.
 * @throws InvalidParameterException that says what to change
 */
export function checkJudged({
  judge,
  loadBalancers = [],
  deploymentConfiguration: { strategy },
}: Pick<ServiceRecord, 'judge' | 'loadBalancers' | 'deploymentConfiguration'>): void {
  if (judge === undefined) return;
  if ((strategy?.type === 'LINEAR' || strategy?.type === 'CANARY') && loadBalancers.length === 0)
    throw invalidParameter(
      `With the tag '${judgeTag}' steps are judged by what load balancers count, and the service has none: give it one, or remove the tag.`,
    );
  if (loadBalancers.every(({ advanced }) => advanced?.testListenerRule === undefined)) return;
  throw invalidParameter(
    `With the tag '${judgeTag}' steps are judged by all requests to the target groups of the two revisions, and those of a test listener would be among them: ` +
      'leave testListenerRule out, or remove the tag.',
  );
}
