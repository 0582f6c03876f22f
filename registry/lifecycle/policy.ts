import { ImagesError } from '../images/index.ts';

export type StorageClass = 'standard' | 'archive';

/** Which images a rule is about. */
export type Selection =
  | { readonly tagStatus: 'any' }
  | { readonly tagStatus: 'untagged' }
  /** An image must have, for every entry, some tag that matches it. */
  | { readonly tagStatus: 'tagged'; readonly form: 'pattern' | 'prefix'; readonly entries: readonly string[] };

export type CountType = 'imageCountMoreThan' | 'sinceImagePushed' | 'sinceImagePulled' | 'sinceImageTransitioned';

export interface LifecycleRule {
  readonly priority: number;
  readonly description?: string;
  readonly selection: Selection;
  readonly storageClass: StorageClass;
  readonly countType: CountType;
  /** Images, or days. */
  readonly count: number;
  readonly action: 'expire' | 'transition';
}

const countTypes: readonly string[] = [
  'imageCountMoreThan',
  'sinceImagePushed',
  'sinceImagePulled',
  'sinceImageTransitioned',
] satisfies CountType[];

/**
 * Reads a lifecycle policy (ECR user guide, "Lifecycle policy properties") and orders its rules by priority.
 * @throws ImagesError `LifecyclePolicyInvalid`, which names the rule and the member
 */
export function parseLifecyclePolicy(text: string): readonly LifecycleRule[] {
  if (text.length < 100 && text.trim() === '') throw invalid('it is empty');
  if (text.length > 30_720) throw invalid(`it has ${text.length} characters; at most 30720 are allowed`);
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw invalid(`it is not JSON: ${(error as Error).message}`);
  }
  const { rules } = membersOf(document, 'the policy', ['rules']);
  if (!Array.isArray(rules) || rules.length === 0) throw invalid("'rules' must be a list with at least one rule");
  if (rules.length > 50) throw invalid(`it has ${rules.length} rules; at most 50 are allowed`);
  const parsed = rules.map((rule, position) => parseRule(rule, `rules[${position}]`));
  checkTogether(parsed);
  return parsed.toSorted((a, b) => a.priority - b.priority);
}

function parseRule(value: unknown, where: string): LifecycleRule {
  const rule = membersOf(value, where, ['rulePriority', 'description', 'selection', 'action']);
  const priority = rule['rulePriority'];
  if (typeof priority !== 'number' || !Number.isSafeInteger(priority) || priority < 1)
    throw invalid(`${where}.rulePriority must be a whole number from 1 on`);
  const { description } = rule;
  if (description !== undefined && typeof description !== 'string')
    throw invalid(`${where}.description must be a text`);
  const selection = membersOf(rule['selection'], `${where}.selection`, [
    'tagStatus',
    'tagPatternList',
    'tagPrefixList',
    'storageClass',
    'countType',
    'countUnit',
    'countNumber',
  ]);
  const action = membersOf(rule['action'], `${where}.action`, ['type', 'targetStorageClass']);
  const result: LifecycleRule = {
    priority,
    ...(description === undefined ? {} : { description }),
    selection: parseSelection(selection, where),
    storageClass: oneOf(
      selection['storageClass'] ?? 'standard',
      ['standard', 'archive'],
      `${where}.selection.storageClass`,
    ),
    countType: oneOf(selection['countType'], countTypes as readonly CountType[], `${where}.selection.countType`),
    count: parseCount(selection, where),
    action: oneOf(action['type'], ['expire', 'transition'], `${where}.action.type`),
  };
  checkAction(result, action, selection, where);
  return result;
}

function parseSelection(selection: Record<string, unknown>, where: string): Selection {
  const tagStatus = oneOf(selection['tagStatus'], ['tagged', 'untagged', 'any'], `${where}.selection.tagStatus`);
  const { tagPatternList: patterns, tagPrefixList: prefixes } = selection;
  if (tagStatus !== 'tagged') {
    if (patterns !== undefined || prefixes !== undefined)
      throw invalid(`${where}.selection: tagPatternList and tagPrefixList belong to tagStatus 'tagged'`);
    return { tagStatus };
  }
  if ((patterns === undefined) === (prefixes === undefined))
    throw invalid(`${where}.selection needs either tagPatternList or tagPrefixList`);
  const form = patterns === undefined ? 'prefix' : 'pattern';
  const name = `${where}.selection.${form === 'pattern' ? 'tagPatternList' : 'tagPrefixList'}`;
  const entries: unknown = patterns ?? prefixes;
  if (
    !Array.isArray(entries) ||
    entries.length === 0 ||
    !entries.every((entry) => typeof entry === 'string' && entry !== '')
  ) {
    throw invalid(`${name} must be a list of texts with at least one entry`);
  }
  const texts = entries as string[];
  if (form === 'pattern' && texts.some((entry) => entry.split('*').length > 5))
    throw invalid(`${name}: an entry has at most four '*'`);
  return { tagStatus, form, entries: texts };
}

function parseCount(selection: Record<string, unknown>, where: string): number {
  const { countType, countUnit, countNumber } = selection;
  if (typeof countNumber !== 'number' || !Number.isSafeInteger(countNumber) || countNumber < 1)
    throw invalid(`${where}.selection.countNumber must be a whole number from 1 on`);
  if (countType === 'imageCountMoreThan') {
    if (countUnit !== undefined)
      throw invalid(`${where}.selection.countUnit does not go with countType 'imageCountMoreThan'`);
  } else if (countUnit !== 'days') {
    throw invalid(`${where}.selection.countUnit must be 'days'`);
  }
  return countNumber;
}

function checkAction(
  rule: LifecycleRule,
  action: Record<string, unknown>,
  selection: Record<string, unknown>,
  where: string,
): void {
  const target = action['targetStorageClass'];
  if (rule.action === 'transition' && (target !== 'archive' || rule.storageClass === 'archive')) {
    throw invalid(`${where}.action: a transition leads from the standard class to targetStorageClass 'archive'`);
  }
  if (rule.action === 'expire' && target !== undefined)
    throw invalid(`${where}.action.targetStorageClass belongs to type 'transition'`);
  if (rule.countType === 'sinceImagePulled' && rule.action !== 'transition')
    throw invalid(`${where}.selection.countType 'sinceImagePulled' goes only with the action 'transition'`);
  if (rule.countType === 'sinceImageTransitioned') {
    if (rule.action !== 'expire' || selection['storageClass'] !== 'archive')
      throw invalid(
        `${where}.selection.countType 'sinceImageTransitioned' needs the action 'expire' and storageClass 'archive'`,
      );
    if (rule.count < 90)
      throw invalid(`${where}.selection.countNumber must be at least 90 for 'sinceImageTransitioned'`);
  }
}

/** Rules that cannot stand beside each other. Each storage class is looked at by itself. */
function checkTogether(rules: readonly LifecycleRule[]): void {
  const priorities = new Set<number>();
  for (const { priority } of rules) {
    if (priorities.has(priority)) throw invalid(`two rules have the rulePriority ${priority}`);
    priorities.add(priority);
  }
  for (const storageClass of ['standard', 'archive'] as const) {
    const ofClass = rules.filter((rule) => rule.storageClass === storageClass);
    const highest = Math.max(0, ...ofClass.map((rule) => rule.priority));
    const early = ofClass.find((rule) => rule.selection.tagStatus === 'any' && rule.priority !== highest);
    if (early) throw invalid(`the rule with tagStatus 'any' must have the highest rulePriority, not ${early.priority}`);
    if (ofClass.filter((rule) => rule.selection.tagStatus === 'untagged').length > 1)
      throw invalid("only one rule can have tagStatus 'untagged'");
    const seen = new Set<string>();
    for (const { selection } of ofClass) {
      if (selection.tagStatus !== 'tagged' || selection.form !== 'prefix') continue;
      const name = selection.entries.toSorted().join('\n');
      if (seen.has(name)) throw invalid('two rules have the same tagPrefixList');
      seen.add(name);
    }
  }
}

function membersOf(value: unknown, where: string, known: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${where} must be an object`);
  const unknown = Object.keys(value).find((member) => !known.includes(member));
  if (unknown !== undefined) throw invalid(`${where} has an unknown member '${unknown.slice(0, 60)}'`);
  return value as Record<string, unknown>;
}

function oneOf<T extends string>(value: unknown, values: readonly T[], where: string): T {
  if (!values.includes(value as T)) throw invalid(`${where} must be one of ${values.join(', ')}`);
  return value as T;
}

const invalid = (reason: string): ImagesError =>
  new ImagesError(
    'LifecyclePolicyInvalid',
    `Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure: ${reason}'`,
  );
