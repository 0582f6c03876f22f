import { z } from 'zod';

const permission = z.object({
  protocol: z.union([z.enum(['tcp', 'udp', 'icmp', '-1']), z.number().int().min(0).max(255)]),
  from: z.number().int().optional(),
  to: z.number().int().optional(),
  peer: z.union([z.object({ cidr: z.string() }), z.object({ group: z.string() })]),
});

/** The end of a host's encrypted tunnel: a public key of X25519 (base64url) and a UDP port, `KEY:PORT`. */
const tunnelEnd = z.string().regex(/^[\w-]{43}:[1-9]\d{0,4}$/);

/**
 * The network of tasks with addresses of their own as a host needs it; not in the ACS model. A connection begins with all of it, and goes
 * on with what changes: whoever misses a message acknowledges none that builds on it, and is told all again.
 */
export const networkState = z.object({
  /** The host's own address as its peers reach it. */
  address: z.ipv4(),
  /** Its end of the encrypted tunnels, as its peers know it; without one they do not use it. */
  tunnel: tunnelEnd.optional(),
  /** All ranges that hosts hand out to tasks. */
  blocks: z.array(z.object({ cidr: z.string(), vpc: z.string() })),
  /** Those of this host's tasks. */
  groups: z.array(z.object({ id: z.string(), ingress: z.array(permission), egress: z.array(permission) })),
  /** Addresses of the members of groups that rules name, on all hosts. */
  members: z.record(z.string(), z.array(z.ipv4())),
  /** The other hosts, and the ranges of each. */
  peers: z.array(z.object({ address: z.ipv4(), blocks: z.array(z.string()), tunnel: tunnelEnd.optional() })),
});

export type NetworkState = z.output<typeof networkState>;
