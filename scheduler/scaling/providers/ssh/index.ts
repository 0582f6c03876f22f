/** Prepared machines that are reached by ssh: woken, joined, and put back. */
export { readPool } from './pool.ts';
export { sshProvider, type SshProviderOptions, type Standing, standings } from './ssh.ts';
