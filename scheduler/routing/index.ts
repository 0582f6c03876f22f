export * from './desired-state.ts';
export { certificatesByName, entryFor } from './certificates.ts';
export { type AddressBlocks, blockList, isWithin, parametersOf } from './conditions.ts';
export { cookieLife, cookieToken, groupCookies, readCookie, setCookies, targetCookies } from './cookies.ts';
export { type Automaton, compilePattern, finds } from './patterns/automaton.ts';
export { PatternError } from './patterns/syntax.ts';
export { bytesOf, isLiteral, lower, wildcardPieces, wildcardTest } from './patterns/wildcard.ts';
export {
  isDefaultPort,
  locationOf,
  longestLocation,
  type RedirectPiece,
  type RedirectParts,
  redirectPieces,
} from './redirect.ts';
export { draws, hostName, normalizePath, type RequestHead } from './request.ts';
export { bodyOf, compileRouter, type Decision, route, type Router, type Share, thresholds } from './route.ts';
