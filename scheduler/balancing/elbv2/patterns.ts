import { compilePattern, PatternError } from '../../routing/index.ts';

/** What is wrong with a regular expression of a condition; undefined when it can be matched in linear time. */
export function patternProblem(pattern: string): string | undefined {
  try {
    compilePattern(pattern, { ignoreCase: false });
    return undefined;
  } catch (error) {
    if (error instanceof PatternError) return error.message;
    throw error;
  }
}
