import { createServer } from 'node:net';
import type { BindResult } from './contract.ts';

/** Why an address and port cannot be bound, in words for whoever made the listener. */
export function bindReason(code: string | undefined, address: string, port: number): string {
  if (code === 'EADDRINUSE') {
    return `port ${port} of ${address} is taken by another program: stop it (\`ss -ltnp 'sport = :${port}'\` names it) or choose another port`;
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return `binding port ${port} is not permitted: choose a port from 1024 on, or run the engine as root, with the capability CAP_NET_BIND_SERVICE, or after \`sysctl net.ipv4.ip_unprivileged_port_start=${port}\``;
  }
  if (code === 'EADDRNOTAVAIL')
    return `the address ${address} is on no interface of this host: take one that is, or add it`;
  return `port ${port} of ${address} cannot be bound: ${code ?? 'unknown error'}`;
}

/** Tries to bind an address and port and lets go of it again. */
export async function tryBinding(address: string, port: number): Promise<BindResult> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on('error', (error: NodeJS.ErrnoException) =>
      resolve({ bound: false, reason: bindReason(error.code, address, port) }),
    );
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve({ bound: true })));
  });
}
