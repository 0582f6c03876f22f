import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Rooms, by package, whose test files run in one process after each other: they keep everything in memory or in folders of their own, and
 * end what they begin. Loading what they test costs more than testing it, and so it is loaded once.
 */
export const rooms: Readonly<Record<string, readonly string[]>> = {
  auth: ['contract', 'kit', 'policy', 'protocol', 'sigv4'],
  scheduler: [
    'balancing/{acm,elb,elbv2,numbers,records,traffic}',
    'codedeploy',
    'control',
    'deployments',
    'ecs',
    'network',
    'part',
    'references',
    'routing',
    'scaling/{api,capacity,rules,targets}',
    'services',
    'settings',
    'signals/logs/{api,filters,patterns,queries}',
    'signals/metrics/{api,math}',
    'signals/{alarms,usage}',
    'state',
    'tasks',
    'views',
  ],
};

/** Files in them that have a process of their own: they replace modules or functions of Node, begin programs, or count how work grows. */
const exceptions: readonly RegExp[] = [
  /\bvi\s*\.\s*(?:mock|doMock|spyOn|stubEnv|stubGlobal|useFakeTimers)\(/,
  /\bwithCounters\(/,
  /\bprocess\.env\[[^\]]*\] = /,
  /\bopen(?:Embedded|Haproxy)\(/,
  /\b(?:spawn|spawnSync|execFile|fork|createServer)\(/,
];

/** Whether a test file's text says that it needs a process of its own. */
export const needsOwnProcess = (text: string): boolean => exceptions.some((one) => one.test(text));

/** Test files of a package that share processes, relative to its folder. */
export function sharingFiles(folder: string, name: string): string[] {
  const patterns = (rooms[name] ?? []).map((room) => `${room}/**/*.test.ts`);
  return globSync(patterns, { cwd: folder })
    .filter((file) => !needsOwnProcess(readFileSync(join(folder, file), 'utf8')))
    .toSorted();
}
