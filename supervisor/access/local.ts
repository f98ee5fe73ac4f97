// The rule that tells a local request, which needs no token, from one that only looks local because a proxy or a web page sends it.
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { ownerOfPeer } from './peer_owner.ts';

const LOOPBACK_HOST = /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i;
const FORWARDING = /^(forwarded|x-forwarded-.+|x-real-ip|via)$/;

/** @param allowedOrigins origins whose pages may use the server now @returns whether a request is local; a promise for the first one of a connection */
export function createLocalRule(allowedOrigins: () => readonly string[]): (request: IncomingMessage) => boolean | Promise<boolean> {
  const peers = new WeakMap<Socket, boolean | Promise<boolean>>();
  const isOwnPeer = (socket: Socket): boolean | Promise<boolean> => {
    const known = peers.get(socket);
    if (known !== undefined) return known;
    const asked = ownerOfPeer(socket).then((uid) => {
      const own = uid !== null && (uid === 0 || uid === process.getuid?.());
      peers.set(socket, own);
      return own;
    });
    peers.set(socket, asked);
    return asked;
  };
  return (request) => {
    const { socket } = request;
    if (!isLoopback(socket.remoteAddress) || request.httpVersion !== '1.1') return false;
    if (!headersAreLocal(request, allowedOrigins())) return false;
    return process.platform === 'linux' ? isOwnPeer(socket) : true;
  };
}

function isLoopback(address: string | undefined): boolean {
  return address === '::1' || address?.startsWith('127.') === true || address?.startsWith('::ffff:127.') === true;
}

function headersAreLocal(request: IncomingMessage, allowedOrigins: readonly string[]): boolean {
  let host: string | undefined;
  const { rawHeaders } = request;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    const value = rawHeaders[i + 1] as string;
    if (name === 'host') {
      if (host !== undefined) return false;
      host = value;
    } else if (name === 'sec-fetch-site') {
      if (value === 'cross-site') return false;
    } else if (FORWARDING.test(name)) {
      return false;
    }
  }
  if (host === undefined || !LOOPBACK_HOST.test(host)) return false;
  const { origin } = request.headers;
  return origin === undefined || origin.toLowerCase() === `http://${host.toLowerCase()}` || allowedOrigins.includes(origin);
}
