/** Queries of CloudWatch Logs Insights: worked on in the background of the server that is asked, and kept for every other one to answer. */
export { DefinitionMissing, QueryDefinitions, sortKey, TooManyDefinitions } from './definitions.ts';
export { LogQueries } from './log-queries.ts';
export { pointerOf, readPointer } from './pointers.ts';
export { type FoundQuery, isUnfinished, TooManyQueries } from './stored-queries.ts';
