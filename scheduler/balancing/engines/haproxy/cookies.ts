import { argument } from './words.ts';

/** Takes the token of a cookie into `txn.kept` when it is of ours and not older than the seconds, a number or a variable. */
export function keptLines(verb: string, cookie: string, seconds: string): readonly string[] {
  const fresh = seconds.startsWith('txn.')
    ? `{ var(txn.age) -m int ge 0 } { var(${seconds}) -m found } !{ var(txn.age),sub(${seconds}) -m int ge 0 }`
    : `{ var(txn.age) -m int ge 0 } { var(txn.age) -m int lt ${seconds} }`;
  return [
    `${verb} set-var(txn.cookie) req.cook(${argument(cookie)})`,
    `${verb} set-var(txn.cookie) str(0-0) unless { req.cook(${argument(cookie)}) -m found }`,
    `${verb} set-var(txn.issued) var(txn.cookie),field(1,-),add(0)`,
    `${verb} set-var(txn.age) date,sub(txn.issued)`,
    `${verb} set-var(txn.kept) var(txn.cookie),field(2,-) if !{ var(txn.kept) -m found } { var(txn.cookie) -m reg -- ^[0-9]{1,12}-[0-9a-f]{24}$ } ${fresh}`,
  ];
}

/** Sets the two cookies for a token on a target's answer. */
export function cookieLines(
  names: readonly [string, string] | readonly [string],
  token: string,
  when: string,
): readonly string[] {
  const life = '%[date,http_date(604800)]';
  const first = `http-response add-header Set-Cookie ${names[0]}=%[date]-${token};\\ Expires=${life};\\ Path=/ if ${when}`;
  if (names[1] === undefined) return [first];
  return [
    first,
    `http-response add-header Set-Cookie ${names[1]}=%[date]-${token};\\ Expires=${life};\\ Path=/;\\ SameSite=None;\\ Secure if ${when}`,
  ];
}
