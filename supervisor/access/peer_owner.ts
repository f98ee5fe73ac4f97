// Which user owns the other end of a loopback connection: what a proxy of another user cannot pretend. Linux only (/proc/net/tcp).
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';

/** In the table's column `st`. */
const ESTABLISHED = '01';

/** The tables are read once for all connections that ask at the same time: each is as long as there are sockets. */
let running: Promise<string> | undefined;
let next: Promise<string> | undefined;

/** @returns the user id; null where it cannot be told */
export async function ownerOfPeer(socket: Socket): Promise<number | null> {
  const { remoteAddress, remotePort, localAddress, localPort } = socket;
  if (remoteAddress === undefined || remotePort === undefined || localAddress === undefined || localPort === undefined) return null;
  const table = await freshTable();
  const ends = [
    [ipv4(remoteAddress), ipv4(localAddress)],
    [ipv6(remoteAddress), ipv6(localAddress)],
  ];
  for (const [peer, own] of ends) {
    if (peer === null || own === null) continue;
    const at = table.indexOf(`: ${peer}:${hex(remotePort)} ${own}:${hex(localPort)} `);
    if (at === -1) continue;
    // local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode …
    const fields = table.slice(at + 2, at + 300).split(/\s+/, 9);
    const [state, uid, inode] = [fields[2], fields[6], fields[8]];
    // A socket that has been closed is nobody's any more: the kernel then prints user 0, and no inode.
    if (state !== ESTABLISHED || uid === undefined || inode === undefined || !/^[1-9]\d*$/.test(inode)) return null;
    return /^\d+$/.test(uid) ? Number(uid) : null;
  }
  return null;
}

/** A reading that begins after now: one under way may have passed the connection's line already. */
function freshTable(): Promise<string> {
  if (running === undefined) {
    running = readAlone();
    return running;
  }
  next ??= running.then(readAlone);
  return next;
}

/** Never rejects. */
async function readAlone(): Promise<string> {
  const text = await readTables();
  running = next;
  next = undefined;
  return text;
}

async function readTables(): Promise<string> {
  const files = ['/proc/net/tcp', '/proc/net/tcp6'];
  const texts = await Promise.all(files.map((file) => readFile(file, 'latin1').catch(() => '')));
  return texts.join('');
}

function hex(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0');
}

/** As the kernel prints it: the bytes of each 32-bit word in the machine's order, which is little-endian wherever Node runs. */
function ipv4(address: string): string | null {
  const bytes = (address.startsWith('::ffff:') ? address.slice(7) : address).split('.').map(Number);
  if (bytes.length !== 4 || bytes.some(Number.isNaN)) return null;
  return bytes.reverse().map(hexByte).join('');
}

/** Of IPv6 only what a loopback connection can have: ::1, and IPv4 mapped into it. */
function ipv6(address: string): string | null {
  if (address === '::1') return `${'0'.repeat(24)}01000000`;
  const mapped = ipv4(address);
  return mapped === null ? null : `0000000000000000FFFF0000${mapped}`;
}

function hexByte(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, '0');
}
