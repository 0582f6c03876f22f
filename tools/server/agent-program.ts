import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { GatewayError, statusOf, type WebRoute, type WebService } from '@slipway/auth/contract';

/** The whole agent in one file. */
export interface AgentProgram {
  readonly bytes: Buffer;
  /** `sha256:…` of the bytes; the same sources give the same bytes. */
  readonly digest: string;
}

/** What the file needs before anything of it runs: the sentence for an older Node, and what packages that are CommonJS are given. */
const head = `if (Number(process.versions.node.split('.')[0]) < 26) {
  console.error('slipway: the agent needs Node 26 or newer, this is ' + process.versions.node);
  process.exit(1);
}
import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
const { filename: __filename, dirname: __dirname } = import.meta;
`;

/**
 * Bundles the agent with everything that it imports, from this checkout, in about half a second of another process's work. Node joins
 * no modules itself; esbuild is in the tree as it is, beneath tsx, and takes the types off like Node does.
 */
export async function buildAgentProgram(): Promise<AgentProgram> {
  const { build, stop } = await import('esbuild');
  try {
    const { outputFiles } = await build({
      absWorkingDir: join(import.meta.dirname, '..', '..'),
      entryPoints: ['tools/cli/agent-main.ts'],
      bundle: true,
      write: false,
      platform: 'node',
      format: 'esm',
      // Older than what is needed, so that an older Node can read as far as the sentence that refuses it.
      target: 'node20',
      banner: { js: head },
      // Compiled add-ons of the SSH client, which does without them.
      external: ['*.node'],
      minifySyntax: true,
      minifyWhitespace: true,
      legalComments: 'eof',
      logLevel: 'silent',
    });
    const bytes = Buffer.concat(outputFiles.map(({ contents }) => contents));
    return { bytes, digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}` };
  } finally {
    await stop();
  }
}

const path = '/agent/slipway-agent.mjs';

/**
 * `GET /agent/slipway-agent.mjs`: the agent's program, for hosts that join, signed for `ecs` and allowed to whoever may ask where agents
 * connect to. Made when the first host asks.
 */
export function agentProgramService(make: () => Promise<AgentProgram> = buildAgentProgram): WebService {
  let made: Promise<AgentProgram> | undefined;
  const program = (): Promise<AgentProgram> =>
    (made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    }));
  return {
    name: 'agent-program',
    prefix: '/agent/',
    authentication: { sigv4: 'ecs' },
    samples: [{ method: 'GET', path }],
    route(method, asked): WebRoute | undefined {
      if (asked !== path || (method !== 'GET' && method !== 'HEAD')) return undefined;
      return {
        name: 'GET agent program',
        access: () => [{ action: 'ecs:DiscoverPollEndpoint', resources: [{ arn: '*' }] }],
        handle: async (ctx) => {
          const { bytes, digest } = await program();
          ctx.type = 'text/javascript';
          ctx.etag = digest;
          ctx.set('Content-Disposition', 'attachment');
          if (ctx.fresh) ctx.status = 304;
          else ctx.body = bytes;
        },
      };
    },
    renderError(ctx, error) {
      const known = error instanceof GatewayError ? error : undefined;
      ctx.status = known === undefined ? 500 : statusOf[known.kind];
      if (known?.retryAfter !== undefined) ctx.set('Retry-After', String(known.retryAfter));
      ctx.type = 'text/plain';
      ctx.body = `${known?.message ?? 'the program could not be made; the log of the server says why'}\n`;
    },
  };
}
