import { globSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

/**
 * Where requests may be sent without the guarded client, and why. Everything else that a server runs goes through
 * `@slipway/auth/outbound`, so that no address a user gave reaches a private network (F4).
 */
const exempt: Readonly<Record<string, string>> = {
  'auth/outbound/': 'is the guarded client',
  'scheduler/hosts/agent/': 'runs on a host of its own and calls the addresses of its configuration',
  'scheduler/balancing/engines/':
    'carries requests to targets, whose addresses RegisterTargets lets through, and speaks with its own processes by socket files',
  'scheduler/balancing/health/probe.ts':
    'checks targets of load balancers, which are in private networks; RegisterTargets takes no others',
  'scheduler/scaling/providers/docker/':
    'speaks with engines of this computer by socket files, and carries connections of its machines to the address of the configuration',
  'scheduler/scaling/providers/ssh/wake.ts': 'wakes machines of the configuration by a packet to its network',
  'scheduler/balancing/remote/client.ts': 'runs on a host of its own and calls the address of its configuration',
  'scheduler/exec/protocol/open-copy.ts': 'is for agents and commands, which call the addresses of their configuration',
  'storage/blobs/s3-client.ts': 'calls the store of the configuration',
};

/** What a server is made of. Commands, benchmarks and the testbed act for the person who starts them. */
const served = ['auth', 'registry', 'scheduler', 'storage', 'tools/server'];

/** A parameter of this name is the guarded client's, handed in. */
const ownFetch = /[(,]\s*fetch\??\s*:/;

const rules: readonly { readonly pattern: RegExp; readonly what: string }[] = [
  { pattern: /(?<![\w.#'"`/-])fetch(?=\s*[(,;)}\]])/, what: 'the global fetch' },
  { pattern: /\b(?:globalThis|global|window)\s*\.\s*fetch\b/, what: 'the global fetch' },
  { pattern: /\bnew\s+(?:WebSocket|EventSource|XMLHttpRequest)\b/, what: 'a client of its own' },
  { pattern: /^import\s+(?!type\b)[^;]*?\bfrom\s*['"]undici['"]/m, what: 'undici' },
  {
    pattern: /\bfrom\s*['"]\.\.?\/(?:\.\.\/)*conformance['"/]/,
    what: 'the conformance client, which is not for servers',
  },
  {
    pattern: /\b(?:import|require)\(\s*['"](?:undici|(?:node:)?(?:https?|http2|net|tls|dgram))['"]/,
    what: 'a client loaded late',
  },
  {
    pattern: /^import\s+(?:\w+|\*\s+as\s+\w+)\s*(?:,[^;]*?)?\bfrom\s*['"](?:node:)?(?:https?|http2|net|tls|dgram)['"]/m,
    what: 'a whole network module (name what is needed)',
  },
  {
    pattern:
      /^import\s*\{[^}]*?(?<!type\s)\b(?:request|get|connect|createConnection|ClientRequest|Agent|globalAgent|Socket\s+as|createSocket)\b(?!\s*as\s+never)[^}]*\}\s*from\s*['"](?:node:)?(?:https?|http2|net|tls|dgram)['"]/m,
    what: 'a client of a network module',
  },
];

/**
 * Finds requests that go around the guarded outbound client.
 * @returns one line per file and rule; empty when all is well
 */
export function checkOutbound(root: string): string[] {
  const problems: string[] = [];
  for (const folder of served) {
    const files = globSync('**/*.ts', {
      cwd: join(root, folder),
      exclude: ['**/node_modules/**', 'dist/**', '**/testing/**'],
    });
    for (const file of files) {
      const path = relative(root, join(root, folder, file)).replaceAll(sep, '/');
      if (/\.test\.ts$|(?:^|\/)test-/.test(path) || Object.keys(exempt).some((place) => path.startsWith(place)))
        continue;
      const text = withoutComments(readFileSync(join(root, path), 'utf8'));
      const source = ownFetch.test(text) ? text.replaceAll(/(?<![\w.])fetch\b/g, 'given') : text;
      for (const { pattern, what } of rules) {
        if (pattern.test(source)) problems.push(`${path}: uses ${what}; requests go through @slipway/auth/outbound`);
      }
    }
  }
  return problems;
}

/** Whole comment lines only: `//` and `/*` also stand in strings. */
const withoutComments = (source: string): string => source.replaceAll(/^\s*(?:\/\*|\*|\/\/).*$/gm, '');
