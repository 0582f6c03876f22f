import { expect } from 'vitest';
import { page, type Shape, shell, waiting, web } from './shape.ts';

/** What only Linux gives a meaning to, and what needs a host that allows it. */
export const linuxShapes: readonly Shape[] = [
  {
    name: 'hardened',
    input: {
      containerDefinitions: [
        web({
          user: '65534',
          readonlyRootFilesystem: true,
          privileged: false,
          dockerSecurityOptions: ['no-new-privileges'],
          linuxParameters: {
            capabilities: { drop: ['NET_RAW', 'MKNOD'] },
            tmpfs: [{ containerPath: '/tmp', size: 16, mountOptions: ['rw', 'noexec', 'nosuid'] }],
          },
        }),
      ],
    },
    does: async (task) => {
      await task.running();
      expect(
        await task.inside('web', 'echo x > /tmp/x && busybox cat /tmp/x; busybox grep " /tmp " /proc/mounts'),
      ).toMatch(/^x\n.*noexec.*size=16384k/);
      expect(await task.inside('web', 'busybox grep NoNewPrivs /proc/self/status')).toMatch(/1$/);
    },
  },
  {
    name: 'database-with-memory-of-its-own',
    sample: true,
    input: {
      containerDefinitions: [
        web({
          memory: 128,
          memoryReservation: 64,
          cpu: 128,
          linuxParameters: { sharedMemorySize: 32, initProcessEnabled: true },
          ulimits: [
            { name: 'nofile', softLimit: 4096, hardLimit: 8192 },
            { name: 'core', softLimit: 0, hardLimit: 0 },
          ],
          systemControls: [{ namespace: 'kernel.msgmax', value: '16384' }],
        }),
      ],
    },
    does: async (task) => {
      await task.running();
      expect(await task.inside('web', 'ulimit -n; ulimit -Hn; ulimit -c')).toBe('4096\n8192\n0');
      expect(await task.inside('web', 'busybox cat /proc/sys/kernel/msgmax')).toBe('16384');
      expect(await task.inside('web', 'busybox df -k /dev/shm')).toMatch(/ 32768 /);
    },
  },
  {
    name: 'without-swap',
    input: { containerDefinitions: [web({ linuxParameters: { maxSwap: 0, swappiness: 10 } })] },
    does: async (task) => {
      await task.running();
    },
  },
  {
    name: 'with-the-kernels-network-settings',
    input: {
      containerDefinitions: [web({ systemControls: [{ namespace: 'net.core.somaxconn', value: '1024' }] })],
    },
    does: async (task) => {
      await task.running();
      expect(await task.inside('web', 'busybox cat /proc/sys/net/core/somaxconn')).toBe('1024');
    },
  },
  {
    name: 'packet-tools',
    input: {
      containerDefinitions: [
        shell('vpn', waiting, { linuxParameters: { capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] } } }),
      ],
    },
    does: async (task) => {
      await task.running();
      // CAP_NET_ADMIN is the twelfth bit.
      expect(await task.inside('vpn', 'busybox grep CapBnd /proc/self/status')).toMatch(/0000000000001000$/);
    },
  },
  {
    name: 'docker-in-docker',
    input: { containerDefinitions: [shell('dind', waiting, { privileged: true })] },
    does: async (task) => {
      await task.running();
      expect(await task.inside('dind', 'busybox grep CapBnd /proc/self/status')).not.toMatch(/00000000a80425fb$/);
    },
  },
  {
    name: 'device-of-the-host',
    input: {
      containerDefinitions: [
        shell('fuse', waiting, {
          linuxParameters: { devices: [{ hostPath: '/dev/zero', containerPath: '/dev/own', permissions: ['read'] }] },
        }),
      ],
    },
    does: async (task) => {
      await task.running();
      expect(await task.inside('fuse', 'busybox head -c 4 /dev/own | busybox od -An -tx1')).toBe('00 00 00 00');
    },
  },
  {
    name: 'monitoring-agent-of-the-host',
    sample: true,
    input: {
      networkMode: 'host',
      pidMode: 'host',
      containerDefinitions: [
        shell('agent', waiting, {
          cpu: 10,
          memory: 64,
          essential: true,
          mountPoints: [
            { containerPath: '/host/proc', sourceVolume: 'proc', readOnly: true },
            { containerPath: '/host/cgroup', sourceVolume: 'cgroup', readOnly: true },
          ],
          environment: [{ name: 'DD_SITE', value: 'datadoghq.com' }],
        }),
      ],
      volumes: [
        { name: 'proc', host: { sourcePath: '/proc/' } },
        { name: 'cgroup', host: { sourcePath: '/sys/fs/cgroup/' } },
      ],
    },
    does: async (task) => {
      await task.running();
      expect(await task.inside('agent', 'busybox cat /host/proc/1/comm')).toBe(
        await task.inside('agent', 'busybox cat /proc/1/comm'),
      );
      // The host's first process is not the container's.
      expect(await task.inside('agent', 'busybox cat /proc/1/comm')).not.toMatch(/^(sh|busybox)$/);
    },
  },
  {
    name: 'profiler-beside-the-app',
    sample: true,
    input: {
      pidMode: 'task',
      ipcMode: 'task',
      containerDefinitions: [
        web({ linuxParameters: { sharedMemorySize: 80 } }),
        shell('profiler', waiting, { essential: false, linuxParameters: { initProcessEnabled: true } }),
      ],
    },
    does: async (task) => {
      await task.running();
      expect(await task.inside('profiler', 'busybox ps | busybox grep -c "[h]ttpd"')).toMatch(/^[1-9]/);
      await task.inside('web', 'echo shared > /dev/shm/note');
      expect(await task.inside('profiler', 'busybox cat /dev/shm/note')).toBe('shared');
    },
  },
  {
    name: 'proxy-on-the-hosts-network',
    input: {
      networkMode: 'host',
      containerDefinitions: [
        shell('proxy', 'httpd -f -p 18090 -h /www & trap "exit 0" TERM; wait', {
          portMappings: [{ containerPort: 18_090 }],
        }),
      ],
    },
    reads: { containers: { proxy: { portMappings: [{ containerPort: 18_090, hostPort: 18_090, protocol: 'tcp' }] } } },
    does: async (task) => {
      const { containers } = await task.running();
      expect(containers?.[0]?.networkBindings).toMatchObject([
        { containerPort: 18_090, hostPort: 18_090, protocol: 'tcp' },
      ]);
      await expect.poll(() => task.fetch('http://127.0.0.1:18090/'), { timeout: 180_000 }).toBe('hello');
    },
  },
  {
    name: 'names-on-a-bridge',
    input: {
      containerDefinitions: [
        web({
          hostname: 'shop-web',
          dnsServers: ['198.51.100.53'],
          dnsSearchDomains: ['shop.internal'],
          extraHosts: [
            { hostname: 'db', ipAddress: '198.51.100.7' },
            { hostname: 'machine', ipAddress: 'host-gateway' },
          ],
        }),
      ],
    },
    does: async (task) => {
      await task.running();
      expect(await task.inside('web', 'busybox hostname; busybox cat /etc/resolv.conf /etc/hosts')).toMatch(
        /^shop-web\n[^]*198\.51\.100\.53[^]*198\.51\.100\.7\s+db/,
      );
    },
  },
  {
    name: 'without-a-network',
    input: { networkMode: 'none', containerDefinitions: [shell('job', waiting)] },
    does: async (task) => {
      await task.running();
      expect(await task.inside('job', 'busybox ls /sys/class/net')).toBe('lo');
    },
  },
  {
    name: 'one-container-without-a-network',
    input: { containerDefinitions: [web(), shell('vault', waiting, { disableNetworking: true })] },
    does: async (task) => {
      await task.running();
      expect(await task.inside('vault', 'busybox ls /sys/class/net')).toBe('lo');
      expect(await task.inside('web', page('http://127.0.0.1:8080/'))).toBe('hello');
    },
  },
  {
    name: 'name-server-on-both-protocols',
    input: {
      containerDefinitions: [
        web({
          portMappings: [
            { containerPort: 8080, hostPort: 0, protocol: 'tcp' },
            { containerPort: 8080, hostPort: 0, protocol: 'udp' },
          ],
        }),
      ],
    },
    does: async (task) => {
      const { containers } = await task.running();
      expect(containers?.[0]?.networkBindings?.map(({ protocol }) => protocol).sort()).toEqual(['tcp', 'udp']);
    },
  },
  {
    name: 'media-server-with-a-range-of-ports',
    sample: true,
    input: {
      containerDefinitions: [
        shell('turn', 'httpd -p 8101 -h /www; httpd -f -p 8100 -h /www & trap "exit 0" TERM; wait', {
          portMappings: [
            { containerPortRange: '8100-8102', protocol: 'tcp' },
            { containerPortRange: '49160-49200', protocol: 'udp' },
            { containerPort: 8100, protocol: 'udp' },
          ],
        }),
      ],
    },
    reads: {
      containers: {
        turn: {
          portMappings: [
            { containerPortRange: '8100-8102', protocol: 'tcp' },
            { containerPortRange: '49160-49200', protocol: 'udp' },
            { containerPort: 8100, hostPort: 0, protocol: 'udp' },
          ],
        },
      },
    },
    does: async (task) => {
      const { containers } = await task.running();
      const bindings = containers?.[0]?.networkBindings ?? [];
      expect(bindings).toHaveLength(3);
      const tcp = bindings.find(({ containerPortRange }) => containerPortRange === '8100-8102');
      const [, first = 0, last = 0] = /^(\d+)-(\d+)$/.exec(tcp?.hostPortRange ?? '')?.map(Number) ?? [];
      expect(last - first).toBe(2);
      expect(tcp).toMatchObject({ protocol: 'tcp' });
      for (const port of [first, first + 1]) expect(await task.fetch(`http://127.0.0.1:${port}/`)).toBe('hello');
      const udp = bindings.find(({ containerPortRange }) => containerPortRange === '49160-49200');
      expect(udp?.hostPortRange).toMatch(/^\d+-\d+$/);
    },
  },
];
