import { isIPv6, type Socket } from 'node:net';

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

/** The header that tells a target who has called whom: PROXY protocol, version 2, section 2.2, for a connection of TCP. */
export function proxyHeader({ remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 }: Socket): Buffer {
  const [source, destination] = [remoteAddress, localAddress].map(bytesOf) as [Buffer, Buffer];
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(remotePort, 0);
  ports.writeUInt16BE(localPort, 2);
  const addresses = Buffer.concat([source, destination, ports]);
  const head = Buffer.from([0x21, source.length === 4 ? 0x11 : 0x21, 0, addresses.length]);
  return Buffer.concat([signature, head, addresses]);
}

/** An address as it goes over the wire: 4 or 16 bytes. */
function bytesOf(address: string): Buffer {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  if (!isIPv6(plain)) return Buffer.from(plain.split('.').map(Number));
  // The URL parser writes it in groups alone, with zeros left out in one place (RFC 5952).
  const [left = '', right] = new URL(`http://[${plain.split('%')[0]}]`).hostname.slice(1, -1).split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const zeros = right === undefined ? [] : Array<string>(8 - groups(left).length - groups(right).length).fill('0');
  return Buffer.from(
    [...groups(left), ...zeros, ...groups(right ?? '')].map((group) => group.padStart(4, '0')).join(''),
    'hex',
  );
}
