/**
 * How the frames of a client to an address are masked. Masks keep what others have a client send from looking like a request to something on
 * the way that knows no WebSockets (RFC 6455, section 10.3). Nothing on the way reads what goes through TLS, and nothing is on the way to
 * this machine itself: there frames are masked with zeros, which is no work, nor a copy of each.
 * @returns for `generateMask` of ws; undefined where masks must be random
 */
export function maskTo({ protocol, hostname }: URL): ((mask: Buffer) => void) | undefined {
  const isHere = hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname);
  if (protocol !== 'wss:' && !isHere) return undefined;
  return (mask) => {
    mask.fill(0);
  };
}
