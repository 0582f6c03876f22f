import { conditionTest, type ConditionTest, type Subject } from './conditions.ts';
import { cookieToken, groupCookies, readCookie } from './cookies.ts';
import type { Action, FixedResponse, Forward, HttpListener } from './desired-state.ts';
import { bytesOf, isLiteral, lower } from './patterns/wildcard.ts';
import { locationOf, longestLocation } from './redirect.ts';
import { draws, hostName, normalizePath, type RequestHead } from './request.ts';

/** What becomes of a request, and by which rule (`default` for the listener's own action). */
export type Decision = { readonly ruleId: string } & (
  | {
      readonly kind: 'forward';
      /** Undefined where all weights are 0: the engine answers 503. */
      readonly targetGroupId: string | undefined;
      /** Token for the answer's group cookies, where the forward is sticky. */
      readonly groupToken?: string | undefined;
    }
  | { readonly kind: 'redirect'; readonly status: 301 | 302; readonly location: string }
  | { readonly kind: 'fixed-response'; readonly status: number; readonly contentType: string; readonly body: string }
  /** An answer of the engine's own because the rule cannot be carried out. */
  | { readonly kind: 'refuse'; readonly status: number }
);

export type Router = (request: RequestHead) => Decision;

/**
 * Decides what becomes of a request: the first rule whose conditions all hold, else the default action. Pure; what every engine does
 * is this, and they are tested against it.
 */
export function route(request: RequestHead, listener: HttpListener, cookieKey: string): Decision {
  return compileRouter(listener, cookieKey)(request);
}

interface CompiledRule {
  readonly id: string;
  readonly tests: readonly ConditionTest[];
  readonly act: (subject: Subject) => Decision;
}

/**
 * `route` for many requests. Rules for exact hosts or paths are found by those, so that a thousand of them cost no more than a few.
 * @throws PatternError or TypeError for a rule that cannot be compiled.
 */
export function compileRouter(listener: HttpListener, cookieKey: string): Router {
  const fallback = actionOf('default', listener.defaultAction, listener, cookieKey);
  const rules = listener.rules.map((rule): CompiledRule => ({
    id: rule.id,
    tests: rule.conditions.map(conditionTest),
    act: actionOf(rule.id, rule.action, listener, cookieKey),
  }));
  const byHost = new Map<string, number[]>();
  const byPath = new Map<string, number[]>();
  const others: number[] = [];
  for (const [place, { conditions }] of listener.rules.entries()) {
    const host = conditions.find((condition) => condition.kind === 'host-header');
    const path = conditions.find((condition) => condition.kind === 'path-pattern');
    if (host !== undefined && host.regexValues.length === 0 && host.values.every(isLiteral)) {
      for (const value of new Set(host.values.map((text) => lower(bytesOf(text))))) addTo(byHost, value, place);
    } else if (path !== undefined && path.regexValues.length === 0 && path.values.every(isLiteral)) {
      for (const value of new Set(path.values.map(bytesOf))) addTo(byPath, value, place);
    } else {
      others.push(place);
    }
  }
  const none: readonly number[] = [];
  return (request) => {
    const subject: Subject = { request, host: hostName(request.host), path: normalizePath(request.path) };
    const lists = [byHost.get(subject.host) ?? none, byPath.get(subject.path) ?? none, others];
    const at = [0, 0, 0];
    for (;;) {
      let first = Infinity;
      let from = -1;
      for (let i = 0; i < 3; i++) {
        const place = lists[i]![at[i]!];
        if (place !== undefined && place < first) [first, from] = [place, i];
      }
      if (from === -1) return fallback(subject);
      at[from]!++;
      const rule = rules[first]!;
      if (rule.tests.every((test) => test(subject))) return rule.act(subject);
    }
  };
}

function addTo(map: Map<string, number[]>, key: string, place: number): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [place]);
  else list.push(place);
}

/** The body of a fixed response; HTTP allows none with 204 and 205. */
export function bodyOf({ status, body }: FixedResponse): string {
  return status === 204 || status === 205 ? '' : body;
}

function actionOf(
  ruleId: string,
  action: Action,
  listener: HttpListener,
  cookieKey: string,
): (subject: Subject) => Decision {
  switch (action.kind) {
    case 'fixed-response': {
      const { status, contentType } = action;
      const body = bodyOf(action);
      return () => ({ kind: 'fixed-response', ruleId, status, contentType, body });
    }
    case 'redirect':
      return ({ request, host }) => {
        const location = locationOf(action, {
          protocol: listener.protocol === 'HTTPS' ? 'https' : 'http',
          host,
          port: String(listener.port),
          path: request.path,
          query: request.query,
        });
        if (location.length > longestLocation) return { kind: 'refuse', ruleId, status: 507 };
        return { kind: 'redirect', ruleId, status: action.status, location };
      };
    case 'forward':
      return forwardOf(ruleId, action, cookieKey);
  }
}

function forwardOf(ruleId: string, action: Forward, cookieKey: string): (subject: Subject) => Decision {
  const shares = thresholds(action);
  const { stickySeconds } = action;
  if (stickySeconds === undefined) {
    return ({ request }) => ({
      kind: 'forward',
      ruleId,
      targetGroupId: shares.find(({ below }) => request.draw < below)?.id,
    });
  }
  const tokens = shares.flatMap(({ id, isEmpty }) =>
    isEmpty ? [] : [{ id, token: cookieToken(cookieKey, 'group', id) }],
  );
  return ({ request }) => {
    const kept = groupCookies
      .map((name) => readCookie(request.cookie(name), stickySeconds, request.now))
      .find((token) => token !== undefined);
    const targetGroupId =
      tokens.find(({ token }) => token === kept)?.id ?? shares.find(({ below }) => request.draw < below)?.id;
    return { kind: 'forward', ruleId, targetGroupId, groupToken: tokens.find(({ id }) => id === targetGroupId)?.token };
  };
}

/** A group's share of a forward: draws below `below`, and not below that of the group before. */
export interface Share {
  readonly id: string;
  readonly below: number;
  /** It has no weight: no draw is its, and no cookie keeps anybody with it. */
  readonly isEmpty: boolean;
}

/** The shares of all groups of a forward, in its order, whatever their weights: each keeps its place when those change. None where all weights are 0. */
export function thresholds({ targetGroups }: Forward): readonly Share[] {
  const total = targetGroups.reduce((sum, { weight }) => sum + weight, 0);
  if (total === 0) return [];
  let sum = 0;
  return targetGroups.map(({ id, weight }) => {
    sum += weight;
    return { id, below: Math.round((sum / total) * draws), isEmpty: weight === 0 };
  });
}
