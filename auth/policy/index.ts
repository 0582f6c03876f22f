export { type CompiledPolicy, type CompiledStatement, compiledPolicy, compilePolicy } from './compile.ts';
export { contextOf } from './context.ts';
export type {
  ConditionElement,
  Element,
  PolicyDocument,
  PolicyKind,
  PolicyVersion,
  PrincipalElement,
  PrincipalEntry,
  Statement,
} from './document.ts';
export { MalformedPolicy, type PolicyPlace } from './errors.ts';
export {
  type ConsideredPolicy,
  type DecidingStatement,
  type Decision,
  evaluate,
  foresee,
  layerNames,
  type NamedPolicy,
  type PolicyLayer,
  type PolicyRequest,
  type PrincipalPolicies,
} from './evaluate.ts';
export { type Explanation, explain, type StatementFinding } from './explain.ts';
export { placeOf } from './json.ts';
export { lintPolicy } from './lint.ts';
export { parsePolicy, policySize } from './parse.ts';
export { type ContextLookup, textGlob } from './pattern.ts';
export type { PolicyPrincipal } from './principal.ts';
export { isPublic } from './public.ts';
export { rewritePrincipals } from './rewrite.ts';
export { checkTrustActions } from './trust.ts';
