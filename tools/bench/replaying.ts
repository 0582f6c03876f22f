import { spawn } from 'node:child_process';
import { join } from 'node:path';

/** Sends one request again and again over 8 connections, from a process of its own. @throws when an answer is none of 200 */
export function replay(port: number, request: Buffer, count: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const script = join(import.meta.dirname, 'replay.ts');
    const child = spawn(process.execPath, [script, String(port), '8', String(count)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let status = '';
    child.stdout.on('data', (chunk: Buffer) => (status += chunk.toString()));
    child.on('error', reject);
    child.on('close', () =>
      status.includes(' 200 ') ? resolve() : reject(new Error(`the measured request was answered: ${status}`)),
    );
    child.stdin.end(request.toString('base64'));
  });
}
