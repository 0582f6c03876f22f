import type { PolicyDocument } from './document.ts';

/**
 * What is valid and yet probably not meant, in sentences for the author: a policy may say it, so nothing is refused.
 */
export function lintPolicy(document: PolicyDocument): readonly string[] {
  return document.statements.flatMap((statement) => {
    const name = statement.sid === undefined || statement.sid === '' ? `Statement[${statement.index}]` : statement.sid;
    const warnings: string[] = [];
    if (statement.effect === 'Allow') {
      for (const condition of statement.conditions) {
        const guarded = statement.conditions.some(
          (other) => other.operator === 'null' && other.key.toLowerCase() === condition.key.toLowerCase(),
        );
        if (condition.quantifier === 'ForAllValues' && !guarded) {
          warnings.push(
            `${name}: ForAllValues is also true when ${condition.key} is missing from the request; add "Null": {"${condition.key}": "false"}`,
          );
        }
      }
      if (statement.action.negated) warnings.push(`${name}: NotAction with Allow allows every other action`);
      if (statement.resource?.negated === true) {
        warnings.push(`${name}: NotResource with Allow allows every other resource`);
      }
    }
    return warnings;
  });
}
