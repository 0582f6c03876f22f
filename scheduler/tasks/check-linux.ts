import type { ContainerDefinition, SystemControl } from '@aws-sdk/client-ecs';

import type { TaskDefinitionBody } from './definition.ts';
import { checkOneOf, checkRange, refuseContainer } from './definition-error.ts';

const ulimits = [
  'core',
  'cpu',
  'data',
  'fsize',
  'locks',
  'memlock',
  'msgqueue',
  'nice',
  'nofile',
  'nproc',
  'rss',
  'rtprio',
  'rttime',
  'sigpending',
  'stack',
];

const ipcControls = new Set([
  'kernel.msgmax',
  'kernel.msgmnb',
  'kernel.msgmni',
  'kernel.sem',
  'kernel.shmall',
  'kernel.shmmax',
  'kernel.shmmni',
  'kernel.shm_rmid_forced',
]);

const capabilities = new Set([
  'ALL',
  'AUDIT_CONTROL',
  'AUDIT_READ',
  'AUDIT_WRITE',
  'BLOCK_SUSPEND',
  'CHOWN',
  'DAC_OVERRIDE',
  'DAC_READ_SEARCH',
  'FOWNER',
  'FSETID',
  'IPC_LOCK',
  'IPC_OWNER',
  'KILL',
  'LEASE',
  'LINUX_IMMUTABLE',
  'MAC_ADMIN',
  'MAC_OVERRIDE',
  'MKNOD',
  'NET_ADMIN',
  'NET_BIND_SERVICE',
  'NET_BROADCAST',
  'NET_RAW',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_CHROOT',
  'SYS_MODULE',
  'SYS_NICE',
  'SYS_PACCT',
  'SYS_PTRACE',
  'SYS_RAWIO',
  'SYS_RESOURCE',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'SYSLOG',
  'WAKE_ALARM',
]);

/**
 * The members of a container that only the Linux kernel gives a meaning to: limits, kernel parameters, capabilities,
 * devices, shared memory and swap.
 * @throws ClientException
 */
export function checkLinux(container: ContainerDefinition, body: TaskDefinitionBody): void {
  const { name, linuxParameters: linux } = container;
  for (const { name: limit, softLimit = 0, hardLimit = 0 } of container.ulimits ?? []) {
    checkOneOf(name, 'ulimits.name', limit, ulimits);
    // -1 is no limit at all.
    if (hardLimit !== -1 && (softLimit > hardLimit || softLimit === -1)) {
      refuseContainer(name, `The soft limit of ulimit '${String(limit)}' is above its hard limit.`);
    }
  }
  for (const control of container.systemControls ?? []) checkControl(name, control, body);
  for (const option of container.dockerSecurityOptions ?? []) {
    if (!/^(no-new-privileges(:(true|false))?|apparmor[:=].+|label[:=].+|seccomp[:=].+)$/.test(option)) {
      refuseContainer(
        name,
        `Unknown Docker security option '${option}': use no-new-privileges, apparmor:<profile>, label:<value> or seccomp:<profile>.`,
      );
    }
  }
  if (linux === undefined) return;
  for (const capability of [...(linux.capabilities?.add ?? []), ...(linux.capabilities?.drop ?? [])]) {
    if (!capabilities.has(capability))
      refuseContainer(name, `Unknown Linux capability '${capability}'; write it without CAP_, in capitals.`);
  }
  for (const device of linux.devices ?? []) {
    if (!device.hostPath) refuseContainer(name, "A device needs 'hostPath'.");
    for (const permission of device.permissions ?? [])
      checkOneOf(name, 'devices.permissions', permission, ['read', 'write', 'mknod']);
  }
  for (const mount of linux.tmpfs ?? []) {
    if (!mount.containerPath?.startsWith('/'))
      refuseContainer(name, "A tmpfs mount needs an absolute 'containerPath'.");
    checkRange(name, 'tmpfs.size', mount.size, 1, 2 ** 31 - 1);
  }
  checkRange(name, 'linuxParameters.sharedMemorySize', linux.sharedMemorySize, 1, 2 ** 31 - 1);
  checkRange(name, 'linuxParameters.maxSwap', linux.maxSwap, 0, 2 ** 31 - 1);
  checkRange(name, 'linuxParameters.swappiness', linux.swappiness, 0, 100);
  if (linux.maxSwap !== undefined && container.memory === undefined) {
    refuseContainer(name, "'maxSwap' needs the hard limit 'memory' of the container.");
  }
}

function checkControl(
  name: string | undefined,
  { namespace = '', value }: SystemControl,
  body: TaskDefinitionBody,
): void {
  if (value === undefined) refuseContainer(name, `The system control '${namespace}' needs a value.`);
  const ipc = ipcControls.has(namespace) || namespace.startsWith('fs.mqueue.');
  if (!ipc && !namespace.startsWith('net.')) {
    refuseContainer(
      name,
      `The system control '${namespace}' is not namespaced: use net.*, fs.mqueue.* or an IPC parameter of kernel.*.`,
    );
  }
  if (!ipc && body.networkMode === 'host')
    refuseContainer(name, "System controls net.* are not supported with network mode 'host'.");
  if (ipc && body.ipcMode === 'host')
    refuseContainer(name, "IPC system controls are not supported with ipcMode 'host'.");
}
