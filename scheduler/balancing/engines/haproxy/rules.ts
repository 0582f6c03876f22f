import {
  type Action,
  bodyOf,
  bytesOf,
  type Condition,
  type Forward,
  type HttpListener,
  isDefaultPort,
  type Listener,
  longestLocation,
  lower,
  type Redirect,
  redirectPieces,
} from '../../../routing/index.ts';
import type { Files } from './frontend.ts';
import type { LuaParts } from './lua.ts';
import { argument, formatWord, nameOf, queryExpression, wildcardLines, word } from './words.ts';
import { tablesOf } from './tables.ts';

/** Name of a listener's rule in maps and variables. @param place in the list of rules; the default action's is the one behind the last */
export function ruleName(listener: Listener, place: number): string {
  return `${nameOf('l', listener.id)}.${place}`;
}

/** Blocks of the family that clients of a listener have: HAProxy would take an IPv4 address for one in `::/0`. */
export function blocksFor({ address }: Listener, blocks: readonly string[]): readonly string[] {
  return blocks.filter((block) => block.includes(':') === address.includes(':'));
}

/**
 * Which rule takes a request, as `route` has it: the first that fits. It answers, or leaves its name in `txn.rule`.
 *
 * `txn.first` is the place of the first rule that is known to fit. It begins with the first of those that tables decide, however many there
 * are; the others are walked in their order, as long as they stand before it.
 */
export function ruleLines(listener: HttpListener, files: Files, lua: LuaParts): readonly string[] {
  const { rules, defaultAction } = listener;
  if (rules.length === 0) {
    if (defaultAction.kind === 'forward') return [`http-request set-var(txn.rule) str(${ruleName(listener, 0)})`];
    return answerLines(listener, defaultAction, files, '{ always_true }');
  }
  const { decided, tables } = tablesOf(rules);
  const usesPath = rules.some(({ conditions }) => conditions.some(({ kind }) => kind === 'path-pattern'));
  const firsts = tables.map(
    ({ subject, match, entries }) =>
      `${subject},map_${match}_int(${files.put('patterns', [...entries].map(([key, place]) => `${key} ${place}\n`).join(''))},${rules.length})`,
  );
  const [begin = `int(${rules.length})`, ...others] = firsts;
  return [
    ...(usesPath
      ? [
          'http-request set-var(txn.path) path',
          'http-request set-var(txn.path) path,lua.slipway_path if { path -m sub -- % /. }',
        ]
      : []),
    `http-request set-var(txn.first) ${begin}`,
    ...others.flatMap((other) => [
      `http-request set-var(txn.other) ${other}`,
      'http-request set-var(txn.first) var(txn.other) if { var(txn.other),sub(txn.first) -m int lt 0 }',
    ]),
    ...rules.flatMap(({ conditions, action }, place) => {
      if (decided.has(place))
        return action.kind === 'forward' ? [] : answerLines(listener, action, files, isFirst(place));
      const names = conditions.map((_, i) => `c${place}_${i}`);
      const acls = conditions.flatMap((condition, i) =>
        conditionLines(listener, condition, files, lua).map((line) => `acl ${names[i]} ${line}`),
      );
      const when = [`{ var(txn.first) -m int gt ${place} }`, ...names].join(' ');
      return [
        ...acls,
        ...(action.kind === 'forward'
          ? [`http-request set-var(txn.first) int(${place}) if ${when}`]
          : answerLines(listener, action, files, when)),
      ];
    }),
    ...(defaultAction.kind === 'forward' ? [] : answerLines(listener, defaultAction, files, isFirst(rules.length))),
    `http-request set-var(txn.rule) str(${nameOf('l', listener.id)}.),concat(,txn.first)`,
  ];
}

const isFirst = (place: number): string => `{ var(txn.first) -m int ${place} }`;

/** What the engine answers itself. */
function answerLines(
  listener: HttpListener,
  action: Exclude<Action, Forward>,
  files: Files,
  when: string,
): readonly string[] {
  switch (action.kind) {
    case 'fixed-response': {
      const head = `http-request return status ${action.status}`;
      if (bodyOf(action) === '') return [`${head} if ${when}`];
      return [`${head} content-type ${word(action.contentType)} file ${files.put('bodies', action.body)} if ${when}`];
    }
    case 'redirect':
      return [
        `http-request set-var-fmt(txn.query) ${memberFormat(action.query, listener) || '%[str()]'} if ${when}`,
        `http-request set-var-fmt(txn.query) ?%[var(txn.query)] if ${when} { var(txn.query),length -m int gt 0 }`,
        `http-request set-var-fmt(txn.location) ${locationFormat(action, listener)} if ${when}`,
        `http-request return status 507 if ${when} { var(txn.location),length gt ${longestLocation} }`,
        `http-request return status ${action.status} hdr Location %[var(txn.location)] if ${when}`,
      ];
  }
}

/** `locationOf` as a log format; `txn.query` has the query with its question mark. */
function locationFormat(action: Redirect, listener: HttpListener): string {
  const protocol = memberFormat(action.protocol, listener).toLowerCase();
  const port = memberFormat(action.port, listener);
  const shownPort = isDefaultPort(protocol, port) ? '' : `:${port}`;
  return `${protocol}://${memberFormat(action.host, listener)}${shownPort}${memberFormat(action.path, listener)}%[var(txn.query)]`;
}

function memberFormat(member: string, { protocol, port }: HttpListener): string {
  const keywords = {
    protocol: protocol === 'HTTPS' ? 'https' : 'http',
    host: '%[var(txn.host)]',
    port: String(port),
    path: '%[path,bytes(1)]',
    query: '%[query]',
  };
  return redirectPieces(member)
    .map((piece) => ('text' in piece ? formatWord(piece.text) : keywords[piece.keyword]))
    .join('');
}

/** What an ACL of a condition says, a line for each kind of comparison: any of them is enough. */
function conditionLines(listener: Listener, condition: Condition, files: Files, lua: LuaParts): readonly string[] {
  switch (condition.kind) {
    case 'host-header':
      return textLines('var(txn.host)', condition, true, files, lua);
    case 'path-pattern':
      return textLines('var(txn.path)', condition, false, files, lua);
    case 'http-header':
      return textLines(`req.fhdr(${argument(condition.name)})`, condition, true, files, lua);
    case 'http-request-method':
      return [`method -- ${condition.values.map(word).join(' ')}`];
    case 'query-string':
      return [`query -m reg -i -f ${files.put('patterns', `${condition.values.map(queryExpression).join('\n')}\n`)}`];
    case 'source-ip': {
      const blocks = blocksFor(listener, condition.values);
      return blocks.length === 0 ? ['always_false'] : [`src -f ${files.put('patterns', `${blocks.join('\n')}\n`)}`];
    }
  }
}

function textLines(
  fetch: string,
  { values, regexValues }: { readonly values: readonly string[]; readonly regexValues: readonly string[] },
  ignoreCase: boolean,
  files: Files,
  lua: LuaParts,
): readonly string[] {
  const plain = values.filter((value) => /^[A-Za-z0-9./_-]+$/.test(value));
  const others = values.filter((value) => !plain.includes(value));
  const flag = ignoreCase ? ' -i' : '';
  return [
    ...(plain.length === 0
      ? []
      : [`${fetch} -m str${flag} -- ${plain.map((value) => (ignoreCase ? lower(bytesOf(value)) : value)).join(' ')}`]),
    ...(others.length === 0
      ? []
      : [`${fetch} -m reg${flag} -f ${files.put('patterns', `${wildcardLines(others).join('\n')}\n`)}`]),
    ...regexValues.map((pattern) => `${fetch},lua.slipway_finds(${lua.automaton(pattern, ignoreCase)}) -m str 1`),
  ];
}
