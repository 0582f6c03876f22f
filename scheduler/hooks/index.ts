import type { Led } from '../control/index.ts';
import type { HookPorts } from './ports.ts';
import { HookRunner } from './runner.ts';

export { createHookAdministration } from './administer.ts';
export { type Command, type CommandStart, outcomeOf, runAccess, runCommand } from './command.ts';
export type { HookPorts } from './ports.ts';
export { hookRows } from './secrets.ts';
export { callSigned } from './webhook.ts';

/** Asks the hooks that deployments of a cluster wait for, beside its leader, until the signal aborts. */
export const askHooks = (ports: HookPorts, led: Led, over: AbortSignal): Promise<void> =>
  new HookRunner(ports, led).run(over);
