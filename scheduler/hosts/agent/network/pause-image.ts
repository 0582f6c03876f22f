import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';

import type Docker from 'dockerode';

import { engineCall, EngineError } from '../docker.ts';

/** Where the program is loaded, and where its code begins in it: after the headers. */
const base = 0x400000;
const head = 64 + 56;

/**
 * What waits for ever in as few bytes as an ELF executable takes: pause(2), or ppoll(2) without an end. Before, it ignores SIGCHLD, so
 * that the kernel buries orphans of the containers whose processes it is the first one of. The action of that signal (SIG_IGN, and
 * zeros) lies behind the code.
 */
const machines: Readonly<Record<string, { readonly machine: number; readonly code: readonly number[] }>> = {
  amd64: {
    machine: 62,
    code: [
      // mov eax, 13; mov edi, 17; mov esi, the action
      [0xb8, 13, 0, 0, 0, 0xbf, 17, 0, 0, 0, 0xbe, head + 34, 0, base >>> 16, 0],
      // xor edx, edx; mov r10d, 8; syscall
      [0x31, 0xd2, 0x41, 0xba, 8, 0, 0, 0, 0x0f, 0x05],
      // mov eax, 34; syscall; jmp to this
      [0xb8, 0x22, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7],
    ].flat(),
  },
  arm64: {
    machine: 183,
    code: [
      // mov x0, #17; adr x1, the action; mov x2, #0; mov x3, #8; mov x8, #134; svc #0
      [0xd2800220, 0x10000181, 0xd2800002, 0xd2800103, 0xd28010c8, 0xd4000001],
      // mov x0..x3, #0; mov x8, #73; svc #0; b to the first of these
      [0xd2800000, 0xd2800001, 0xd2800002, 0xd2800003, 0xd2800928, 0xd4000001, 0x17fffffa],
    ].flatMap((words) =>
      words.flatMap((word) => [word & 0xff, (word >>> 8) & 0xff, (word >>> 16) & 0xff, word >>> 24]),
    ),
  },
};

/** `struct sigaction` of the kernel: the handler SIG_IGN, no flags, no restorer, no mask. */
const ignore = [1, ...Array.from({ length: 31 }, () => 0)];

/** An executable of one loadable segment (System V ABI, ELF-64) that only waits. @throws Error for an architecture it has no code for */
export function pauseProgram(architecture: string): Buffer {
  const found = machines[architecture];
  if (found === undefined) throw new Error(`there is no pause program for the architecture ${architecture}`);
  const elf = Buffer.alloc(head + found.code.length + ignore.length);
  elf.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  elf.writeUInt16LE(2, 16);
  elf.writeUInt16LE(found.machine, 18);
  elf.writeUInt32LE(1, 20);
  elf.writeBigUInt64LE(BigInt(base + head), 24);
  elf.writeBigUInt64LE(64n, 32);
  elf.writeUInt16LE(64, 52);
  elf.writeUInt16LE(56, 54);
  elf.writeUInt16LE(1, 56);
  elf.writeUInt32LE(1, 64);
  elf.writeUInt32LE(5, 68);
  elf.writeBigUInt64LE(BigInt(base), 80);
  elf.writeBigUInt64LE(BigInt(base), 88);
  elf.writeBigUInt64LE(BigInt(elf.length), 96);
  elf.writeBigUInt64LE(BigInt(elf.length), 104);
  elf.writeBigUInt64LE(0x1000n, 112);
  elf.set([...found.code, ...ignore], head);
  return elf;
}

/** A tar archive (POSIX ustar) of one executable file. */
function archiveOf(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512);
  const octal = (value: number, width: number): string => `${value.toString(8).padStart(width - 1, '0')}\0`;
  header.write(name, 0, 'latin1');
  header.write(octal(0o755, 8), 100, 'latin1');
  header.write(octal(0, 8), 108, 'latin1');
  header.write(octal(0, 8), 116, 'latin1');
  header.write(octal(content.length, 12), 124, 'latin1');
  header.write(octal(0, 12), 136, 'latin1');
  header.write('        0', 148, 'latin1');
  header.write('ustar\0' + '00', 257, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 7)} `, 148, 'latin1');
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return Buffer.concat([header, content, padding, Buffer.alloc(1024)]);
}

/**
 * Makes sure that the engine has the image of pause containers, and names it. It is made here, from the program alone: a host
 * needs no registry and no download for it. The name carries the program's hash, so that another version is another image.
 *
 * @throws EngineError, EngineUnavailable; Error for an architecture without a program
 */
export async function ensurePauseImage(docker: Docker, architecture: string): Promise<string> {
  const program = pauseProgram(architecture);
  const tag = createHash('sha256').update(program).digest('hex').slice(0, 12);
  const name = `slipway-pause:${tag}`;
  try {
    await engineCall(() => docker.getImage(name).inspect());
    return name;
  } catch (error) {
    if (!(error instanceof EngineError && error.status === 404)) throw error;
  }
  const stream = (await engineCall(() =>
    docker.importImage(Readable.from([archiveOf('pause', program)]), {
      repo: 'slipway-pause',
      tag,
      changes: 'ENTRYPOINT ["/pause"]',
    }),
  )) as NodeJS.ReadableStream;
  let said = '';
  for await (const chunk of stream) said += String(chunk);
  if (/"error"/.test(said)) throw new EngineError(500, `the image of pause containers was not taken: ${said.trim()}`);
  return name;
}
