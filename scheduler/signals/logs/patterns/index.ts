/** Filter patterns: which lines of logs are meant. */
export { PatternError } from './errors.ts';
export { type FilterPattern, mostCharacters, parsePattern } from './pattern.ts';
