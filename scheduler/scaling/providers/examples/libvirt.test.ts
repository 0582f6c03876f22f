import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

import { commandProvider } from '../command.ts';
import { holdToContract, newId, specOf } from '../testing/provider-contract.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-libvirt-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** In the place of libvirt: a domain is a file with its state, and what was called is written down. */
const stand = join(folder, 'bin');
const domains = join(folder, 'domains');
for (const made of [stand, domains]) mkdirSync(made);
const programs = {
  virsh: `case "$1" in
list) ls ${domains} ;;
domstate) cat ${domains}/$2 ;;
shutdown|destroy|managedsave) for id; do :; done; echo 'shut off' > ${domains}/$id ;;
start) echo running > ${domains}/$2 ;;
undefine) rm ${domains}/$2 ;;
esac`,
  'virt-install': `while [ "$1" != --name ]; do shift; done; echo running > ${domains}/$2`,
  'qemu-img': 'for file; do :; done; : > "$file"',
  'cloud-localds': ': > "$1"',
};
for (const [name, script] of Object.entries(programs)) {
  writeFileSync(join(stand, name), `#!/bin/sh\necho "${name} $*" >> ${folder}/calls\n${script}\n`);
  chmodSync(join(stand, name), 0o755);
}

const machines = join(folder, 'machines');
const open = () =>
  commandProvider({
    name: 'vms',
    command: [process.execPath, join(import.meta.dirname, 'libvirt.ts'), '/images/base.qcow2', machines],
    env: { PATH: `${stand}:${process.env['PATH'] ?? ''}` },
    rests: ['Stopped', 'Hibernated'],
  });

holdToContract('virtual machines of libvirt', open);

test('a virtual machine has its settings and its user data from cloud-init, and neither on a command line', async () => {
  const over = new AbortController().signal;
  const id = newId();
  await open().launch({ ...specOf(id), settings: { ECS_CLUSTER: 'rack', SLIPWAY_JOIN: 'secret' } }, over);
  const config = readFileSync(join(machines, id, 'user-data'), 'utf8');
  const files = (JSON.parse(config.split('\n')[1] ?? '') as { write_files: { content: string }[] }).write_files;
  const [settings, userData] = files.map(({ content }) => Buffer.from(content, 'base64').toString());
  expect(settings).toBe('ECS_CLUSTER=rack\nSLIPWAY_JOIN=secret\n');
  expect(userData).toBe('#!/bin/bash');
  for (const name of ['user-data', 'seed.img']) expect(statSync(join(machines, id, name)).mode & 0o077).toBe(0);
  await open().stop?.(id, 'me', 'Hibernated', over);
  const calls = readFileSync(join(folder, 'calls'), 'utf8');
  expect(calls).toContain(`virsh managedsave ${id}`);
  expect(calls).not.toContain('secret');
  // Another's stays.
  await open().terminate(id, 'another', over);
  expect(existsSync(join(machines, id))).toBe(true);
  await open().terminate(id, 'me', over);
  expect(existsSync(join(machines, id))).toBe(false);
  // Made by a run that was killed before it had written whose it is.
  mkdirSync(join(machines, id));
  await open().terminate(id, 'me', over);
  expect(existsSync(join(machines, id))).toBe(false);
});
