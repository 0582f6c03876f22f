import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type TestHost, until } from '../testbed/index.ts';

/** Milliseconds that anything may take to begin. */
const longest = 60_000;

/** MiB/s of one stream for two seconds, from the first end to the second. */
export async function stream([from, to]: readonly {
  readonly pid: string;
  readonly address: string;
}[]): Promise<number> {
  const server = `let n=0,t;require('net').createServer((s)=>{t=performance.now();s.on('error',()=>{}).on('data',(d)=>n+=d.length).on('close',()=>{console.log(n/1048576/(performance.now()-t)*1000);process.exit()})}).listen(5201,'0.0.0.0',()=>console.log('up'))`;
  const client = `const b=Buffer.alloc(262144),s=require('net').connect(5201,'${to?.address ?? ''}');const w=()=>{while(s.write(b));};s.on('connect',w).on('drain',w).on('error',()=>{});setTimeout(()=>{s.destroy();process.exit()},2000)`;
  const child = spawn('nsenter', [`--net=${to?.pid ?? ''}`, process.execPath, '-e', server], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (chunk) => (said += String(chunk)));
  await until('the server of the stream', longest, async () => said.includes('up'), 20);
  const ended = new Promise((resolve) => child.once('close', resolve));
  execFileSync('nsenter', [`--net=${from?.pid ?? ''}`, process.execPath, '-e', client]);
  await ended;
  return Number(said.split('\n')[1]);
}

/** Tells when a host's packet filter has a rule. */
export function watchRules(host: TestHost): {
  readonly ready: Promise<unknown>;
  readonly end: () => void;
  sees(text: string): Promise<void>;
} {
  const child = spawn('nsenter', [`--net=/run/netns/${host.name}`, 'nft', 'monitor', 'new', 'rules'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const waiting = new Map<string, () => void>();
  let left = '';
  child.stdout.on('data', (chunk) => {
    left += String(chunk);
    for (const [text, tell] of waiting) if (left.includes(text)) tell();
    left = left.slice(-200);
  });
  return {
    ready: sleep(1_000),
    end: () => child.kill(),
    sees: (text) =>
      new Promise((resolve) =>
        waiting.set(text, () => {
          waiting.delete(text);
          resolve();
        }),
      ),
  };
}

export const memoryOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN) / 1024;

/** Seconds of processor time that a process has used, with the programs it ran that have ended (proc(5): utime to cstime, of 1/100 s). */
export function processorTime(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return fields.slice(11, 15).reduce((total, ticks) => total + Number(ticks), 0) / 100;
}
