import { LRUCache } from 'lru-cache';
import { type ArnMatcher, type ArnText, resourceMatcher } from './arn.ts';
import { type CompiledCondition, compileCondition } from './conditions.ts';
import type { PolicyDocument, PolicyKind, Statement } from './document.ts';
import { parsePolicy } from './parse.ts';
import { type ContextLookup, Glob, readPattern } from './pattern.ts';

/** A policy ready to be evaluated many times. */
export interface CompiledPolicy {
  readonly document: PolicyDocument;
  readonly statements: readonly CompiledStatement[];
  /** Condition keys, lower case, that any statement looks at, in conditions or variables. */
  readonly keys: ReadonlySet<string>;
  /** The statements that concern an action (lower case), Deny before Allow. */
  statementsFor(action: string): readonly CompiledStatement[];
}

export interface CompiledStatement {
  readonly source: Statement;
  readonly deny: boolean;
  matchesAction(action: string): boolean;
  matchesResource(resource: ArnText, lookup: ContextLookup): boolean;
  readonly conditions: readonly CompiledCondition[];
}

/** How many different actions a policy remembers the concerned statements of; requests name a few dozen. */
const rememberedActions = 1000;

/** Compiles a document whose grammar {@link parsePolicy} has checked. */
export function compilePolicy(document: PolicyDocument): CompiledPolicy {
  const keys = new Set<string>();
  const statements = document.statements.map((statement) => compileStatement(statement, document, keys));
  const byAction = new Map<string, readonly CompiledStatement[]>();
  return {
    document,
    statements,
    keys,
    statementsFor(action) {
      let concerned = byAction.get(action);
      if (concerned === undefined) {
        const matching = statements.filter((statement) => statement.matchesAction(action));
        concerned = [
          ...matching.filter((statement) => statement.deny),
          ...matching.filter((statement) => !statement.deny),
        ];
        if (byAction.size >= rememberedActions) byAction.clear();
        byAction.set(action, concerned);
      }
      return concerned;
    },
  };
}

function compileStatement(source: Statement, document: PolicyDocument, keys: Set<string>): CompiledStatement {
  const deny = source.effect === 'Deny';
  const actions = source.action.entries.map(
    (entry) => new Glob(readPattern(entry.toLowerCase(), { wildcards: true, variables: false }) ?? []),
  );
  const conditions = source.conditions.map((element) =>
    compileCondition(element, document.version === '2012-10-17', keys),
  );
  for (const piece of source.resource?.entries.flat() ?? []) if (typeof piece === 'object') keys.add(piece.key);
  return {
    source,
    deny,
    conditions,
    matchesAction: (action) => actions.some((glob) => glob.matches(action)) !== source.action.negated,
    matchesResource: resourceTest(source, deny),
  };
}

function resourceTest(source: Statement, deny: boolean): CompiledStatement['matchesResource'] {
  const element = source.resource;
  if (element === undefined) return () => true;
  const matchers = element.entries.map(resourceMatcher);
  const isListed = (resource: ArnText, lookup: ContextLookup): boolean =>
    matchers.some((matcher) => matcher.matches(resource, lookup));
  if (!element.negated) return isListed;
  // A variable without a value makes an entry match nothing, and its complement everything: that may refuse, not grant.
  const isKnown = (matcher: ArnMatcher, lookup: ContextLookup): boolean => matcher.resolvable(lookup);
  return (resource, lookup) =>
    !isListed(resource, lookup) && (deny || matchers.every((matcher) => isKnown(matcher, lookup)));
}

const compiled = new LRUCache<string, CompiledPolicy>({
  max: 5000,
  maxSize: 32 * 1024 * 1024,
  sizeCalculation: (value) => value.document.text.length + 200,
});

/**
 * The compiled form of a policy's text, from a cache shared by everybody: a text always means the same.
 * @throws MalformedPolicy
 */
export function compiledPolicy(text: string, kind: PolicyKind): CompiledPolicy {
  const key = `${kind}\n${text}`;
  let policy = compiled.get(key);
  if (policy === undefined) {
    policy = compilePolicy(parsePolicy(text, kind));
    compiled.set(key, policy);
  }
  return policy;
}
