import { globSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';

/**
 * Promises that nobody waits for and that never reject: path, then what is called, then why. The lint rule
 * `typescript/no-floating-promises` is content with `void`; an error behind it ends the process all the same.
 */
const settled: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'auth/audit/audit-file.ts': { 'this.flush': 'tells onError' },
  'auth/gateway/certificates.ts': { check: 'logs what fails' },
  'auth/gateway/gateway.ts': { contain: 'is made for that: it destroys the socket' },
  'registry/upstreams/upstreams.ts': { 'noted.then': 'is work with its errors caught, which is then forgotten' },
  'scheduler/balancing/health/checker.ts': { 'this.#probe': 'takes a check that fails for a result' },
  'scheduler/balancing/remote/server.ts': { accept: 'logs and ends the connection' },
  'scheduler/control/clusters.ts': {
    'Promise.all': 'accounts that were listed once, or whose watching has ended',
    add: 'resolves when an account was listed once, or its watching has ended',
  },
  'scheduler/control/placer.ts': { 'this.#lane.run': 'drains a queue and tells whoever waits' },
  'scheduler/hosts/agent/channel.ts': { 'closed.then': 'is an event of the socket' },
  'scheduler/hosts/agent/report.ts': { 'this.#deliver': 'logs and tries again' },
  'scheduler/hosts/agent/telemetry-channel.ts': { 'this.#publishLoop': 'logs and tries again' },
  'scheduler/hosts/control/agent-control.ts': {
    accept: 'logs and ends the connection',
    'shared.release': 'waits for a projection, which never rejects',
  },
  'scheduler/hosts/control/control-session.ts': {
    'closed.then': 'is an event of the socket',
    'this.#work': 'logs; the tick tries again',
  },
  'storage/leases/open-leases.ts': { 'this.#expire': 'catches what its sleep rejects with' },
  'storage/records/sqlite-records.ts': { 'this.#poll': 'wakes whoever waits, who gets the error' },
};

/** What runs for longer than one request. Commands and tests end with their first error, which is then shown. */
const served = ['auth', 'registry', 'scheduler', 'storage', 'tools/server'];
/** Clients that commands and tests run. */
const commands = ['registry/conformance/', 'storage/faults/'];

/** `void` before what is no promise: a push, an assignment, a message to a process. */
const noPromise = /^(?:\([\w.#]+ = |[\w.#]+\.push\(|process\.send\b)/;

/**
 * Finds promises that are thrown away with `void` and neither catch what they reject with nor are known not to reject.
 * @returns one line each; empty when all is well
 */
export function checkPromises(root: string): string[] {
  const problems: string[] = [];
  for (const folder of served) {
    const files = globSync('**/*.ts', {
      cwd: join(root, folder),
      exclude: ['**/node_modules/**', 'dist/**', '**/testing/**', '**/*.test.ts'],
    });
    for (const file of files) {
      const path = `${folder}/${file.replaceAll(sep, '/')}`;
      if (commands.some((place) => path.startsWith(place))) continue;
      const known = settled[path] ?? {};
      for (const expression of discarded(readFileSync(join(root, path), 'utf8'))) {
        const called = /^[\w.#?]+/.exec(expression)?.[0] ?? expression;
        if (noPromise.test(expression) || /\.catch\(/.test(expression) || Object.hasOwn(known, called)) continue;
        problems.push(
          `${path}: void ${expression.split('\n')[0]}: add a .catch, or, when it never rejects, a line to tools/checks/promises.ts`,
        );
      }
    }
  }
  return problems;
}

/** The expressions behind `void`, as far as the statement, the argument or the arrow function goes. */
function* discarded(source: string): Generator<string> {
  const text = source.replaceAll(/^\s*(?:\/\*|\*|\/\/).*$/gm, '');
  for (const { index, 0: keyword } of text.matchAll(/(?<![\w.<:|] ?)\bvoid\s+(?=[\w#(])/g)) {
    const start = index + keyword.length;
    let depth = 0;
    let end = start;
    for (; end < text.length; end++) {
      const letter = text[end] as string;
      if ('([{'.includes(letter)) depth++;
      else if (')]}'.includes(letter)) depth--;
      if (depth < 0 || (depth === 0 && (letter === ';' || letter === ','))) break;
    }
    const expression = text.slice(start, end).trim();
    // `void (await …)` waits.
    if (!/^\(?await\b/.test(expression)) yield expression;
  }
}
