import { availableParallelism } from 'node:os';
import { marker } from '../server/process-role.ts';

/**
 * `slipway serve`, until SIGTERM or Ctrl-C: one process that does everything, or several below a small one that starts them again. The
 * modules of a server are loaded only where one is to run; settings are read there as well.
 */
export async function serve(): Promise<void> {
  // Whatever is written is for this user alone: images, keys, what callers did.
  process.umask(0o077);
  const processes = Number(process.env['SLIPWAY_WORKERS'] || availableParallelism());
  if (processes > 1 && process.env[marker] === undefined) await supervise();
  else await (await import('./serve-process.ts')).serveProcess();
}

async function supervise(): Promise<never> {
  const { Supervisor } = await import('../server/supervisor.ts');
  const supervisor = new Supervisor(async () => {
    const { openLog } = await import('../server/log.ts');
    return openLog(process.env['SLIPWAY_LOG'] || 'info');
  });
  let signals = 0;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      signals += 1;
      if (signals === 1) return supervisor.stop();
      // The second signal does not wait for anything.
      supervisor.kill();
      process.exit(1);
    });
  }
  process.exit(await supervisor.run());
}
