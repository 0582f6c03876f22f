import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

// Virtual machines of libvirt for Auto Scaling groups, as an example of a provider by a program: `libvirt.ts BASE.qcow2 FOLDER`. The image is one with cloud-init,
// a Docker engine and the agent as `slipway-agent.service`. Needs virsh, virt-install, qemu-img and cloud-localds.
const [base = '', folder = ''] = process.argv.slice(2);

interface Request {
  readonly operation: 'launch' | 'terminate' | 'list' | 'stop' | 'start';
  readonly id: string;
  readonly owner: string;
  readonly rest?: string;
  readonly settings?: Readonly<Record<string, string>>;
  readonly template?: { readonly UserData?: string };
}
const request = JSON.parse(readFileSync(0, 'utf8')) as Request;
const isId = (id: string): boolean => /^i-[0-9a-f]{17}$/.test(id);

/** Programs find no shell; the last line of their complaint is the reason that the group is told. */
const run = (program: string, ...words: readonly string[]): string =>
  execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
const stateOf = (id: string): string | undefined =>
  run('virsh', 'list', '--all', '--name').split('\n').includes(id) ? run('virsh', 'domstate', id).trim() : undefined;

const at = (id: string): string => join(folder, id);
/** Undefined for what a killed run has left, too. */
const ownerOf = (id: string): string | undefined =>
  existsSync(join(at(id), 'owner')) ? readFileSync(join(at(id), 'owner'), 'utf8') : undefined;
const encoded = (text: string): string => Buffer.from(text).toString('base64');

/** What cloud-init does once: the agent's settings, the user data, the agent. */
function cloudConfig({ settings = {}, template }: Request): string {
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
  const file = (path: string, content: string, permissions: string): object => ({
    path,
    permissions,
    encoding: 'b64',
    content,
  });
  const config = {
    write_files: [
      file('/etc/ecs/ecs.config', encoded(lines.join('')), '0600'),
      file('/var/lib/slipway-user-data', template?.UserData ?? encoded('#!/bin/sh\n'), '0700'),
    ],
    runcmd: [['/var/lib/slipway-user-data'], ['systemctl', 'enable', '--now', 'slipway-agent']],
  };
  return `#cloud-config\n${JSON.stringify(config)}\n`;
}

function launch(asked: Request): void {
  const { id, owner } = asked;
  if (stateOf(id) === undefined) {
    // What a killed run has left of it is made anew.
    rmSync(at(id), { recursive: true, force: true });
    mkdirSync(folder, { recursive: true, mode: 0o711 });
    mkdirSync(at(id), { mode: 0o700 });
    const own = (name: string): string => join(at(id), name);
    writeFileSync(own('owner'), owner);
    writeFileSync(own('user-data'), cloudConfig(asked), { mode: 0o600 });
    writeFileSync(own('meta-data'), JSON.stringify({ 'instance-id': id, 'local-hostname': id }));
    run('qemu-img', 'create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', base, own('disk.qcow2'));
    run('cloud-localds', own('seed.img'), own('user-data'), own('meta-data'));
    // The right to join is in it: libvirt hands it to qemu's user, and nobody else reads it.
    chmodSync(own('seed.img'), 0o600);
    chmodSync(at(id), 0o711);
    const disks = ['disk.qcow2', 'seed.img'].flatMap((name) => ['--disk', own(name)]);
    const size = ['--memory', '4096', '--vcpus', '2', '--os-variant', 'generic', '--network', 'network=default'];
    run('virt-install', '--quiet', '--import', '--noautoconsole', '--name', id, ...size, ...disks);
  } else if (stateOf(id) !== 'running') run('virsh', 'start', id);
}

function terminate(id: string): void {
  const state = stateOf(id);
  if (state === 'running' || state === 'paused') run('virsh', 'destroy', id);
  if (state !== undefined) run('virsh', 'undefine', id, '--managed-save');
  rmSync(at(id), { recursive: true, force: true });
}

/** Its memory goes to its disk; or it is shut down, and switched off where it does not do that in a minute. */
function stop(id: string): void {
  if (request.rest === 'Hibernated') {
    run('virsh', 'managedsave', id);
    return;
  }
  run('virsh', 'shutdown', id);
  const second = new Int32Array(new SharedArrayBuffer(4));
  for (let i = 0; i < 60 && stateOf(id) === 'running'; i++) Atomics.wait(second, 0, 0, 1_000);
  if (stateOf(id) === 'running') run('virsh', 'destroy', id);
}

if (request.operation === 'list') {
  const known = existsSync(folder) ? readdirSync(folder).filter((id) => isId(id) && ownerOf(id) !== undefined) : [];
  process.stdout.write(JSON.stringify({ instances: known.map((id) => ({ id, owner: ownerOf(id) })) }));
} else {
  const { id } = request;
  if (!isId(id)) throw new Error(`${id.slice(0, 50)} is no id of a machine`);
  if (request.operation === 'launch') launch(request);
  else if ([undefined, request.owner].includes(ownerOf(id))) {
    if (request.operation === 'terminate') terminate(id);
    if (request.operation === 'stop' && stateOf(id) === 'running') stop(id);
    if (request.operation === 'start' && stateOf(id) !== 'running') run('virsh', 'start', id);
  }
}
