import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '@slipway/storage/testing';
import { run, until } from '../testbed/index.ts';

/** nginx with sendfile over one folder: what the machine can send at all. */
export interface Nginx {
  readonly origin: string;
  stop(): Promise<void>;
}

/** @returns undefined when nginx is not installed */
export async function startNginx(folder: string, files: string): Promise<Nginx | undefined> {
  const program = '/usr/sbin/nginx';
  if ((await run(program, ['-v']).catch(() => undefined)) === undefined) return undefined;
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  const config = join(folder, 'nginx.conf');
  writeFileSync(
    config,
    `daemon off; worker_processes auto; pid ${folder}/pid; error_log ${folder}/error.log;
user root;
events { worker_connections 1024; }
http { access_log off; keepalive_requests 1000000000; sendfile on; tcp_nopush on; client_body_temp_path ${folder}; proxy_temp_path ${folder};
fastcgi_temp_path ${folder}; uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
server { listen 127.0.0.1:${port}; root ${files}; } }
`,
  );
  const child: ChildProcess = spawn(program, ['-p', folder, '-c', config], { stdio: 'ignore' });
  const origin = `http://127.0.0.1:${port}`;
  await until('nginx to answer', 10_000, async () => (await fetch(origin)).status > 0, 50);
  return {
    origin,
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve());
        child.kill('SIGTERM');
      }),
  };
}
