// The address that a request comes from: that of its connection or, behind proxies that are trusted, the one that these name.
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP, SocketAddress } from 'node:net';

/** An address as X-Forwarded-For may have it: `1.2.3.4`, `1.2.3.4:567`, `::1`, `[::1]`, `[::1]:80`. */
const ENTRY = /^(?:\[(?<bracketed>[^\]]+)\]|(?<ipv4>[\d.]+))(?::\d{1,5})?$/;
const MAPPED = '::ffff:';
/** No chain of proxies is longer; a client can write thousands of addresses of theirs, and each takes its time. */
const MAX_HOPS = 32;

/**
 * Where the connection is a trusted proxy's, the client is the rightmost address of X-Forwarded-For that is none of theirs: what stands left of it is
 * its own word. An entry that is no address ends the search, as a chain of more than MAX_HOPS does, and the proxy that passed it on counts.
 * @param trustedProxies addresses and CIDRs, which are valid; another list from when a reload has brought one
 * @returns tells the address of a request's client; '' where the connection is gone
 */
export function createClientAddress(trustedProxies: () => readonly string[]): (request: IncomingMessage) => string {
  let listed = trustedProxies();
  let proxies = blockListOf(listed);
  const isTrusted = (address: string): boolean => isIP(address) !== 0 && proxies.check(address, familyOf(address));
  return ({ socket, headers }) => {
    const peer = plainAddress(socket.remoteAddress ?? '');
    if (listed !== trustedProxies()) {
      listed = trustedProxies();
      proxies = blockListOf(listed);
    }
    if (listed.length === 0) return peer;
    // Node joins the fields of this name in their order.
    const forwarded = String(headers['x-forwarded-for'] ?? '');
    let client = peer;
    let end = forwarded.length;
    for (let hops = 0; hops < MAX_HOPS && end > 0 && isTrusted(client); hops += 1) {
      const start = forwarded.lastIndexOf(',', end - 1) + 1;
      const named = addressOf(forwarded.slice(start, end).trim());
      if (named === null) break;
      client = named;
      end = start - 1;
    }
    return client;
  };
}

/** @returns what an address counts as where many are told apart: one of IPv6 by its first 64 bits, which are the least that anybody is given */
export function addressGroup(address: string): string {
  if (address.includes('.')) return address.slice(address.lastIndexOf(':') + 1);
  const [left = [], right = []] = (address.split('%')[0] ?? '').split('::').map((half) => half.split(':').filter((group) => group !== ''));
  const zeros = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0');
  return `${[...left, ...zeros, ...right].slice(0, 4).join(':')}::`;
}

function blockListOf(cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address = '', prefix] = cidr.split('/');
    if (prefix === undefined) list.addAddress(address, familyOf(address));
    else list.addSubnet(address, Number(prefix), familyOf(address));
  }
  return list;
}

/** @returns the address in an entry; null where there is none */
function addressOf(entry: string): string | null {
  if (isIP(entry) !== 0) return plainAddress(entry);
  const { bracketed = '', ipv4 = '' } = ENTRY.exec(entry)?.groups ?? {};
  if (isIP(bracketed) === 6) return plainAddress(bracketed);
  return isIP(ipv4) === 4 ? ipv4 : null;
}

/** One of IPv6 in its shortest form and without its zone, as proxies write them in several ways; one of IPv4 that is mapped into it as itself. */
function plainAddress(address: string): string {
  if (isIP(address) !== 6) return address;
  const short = new SocketAddress({ address, family: 'ipv6' }).address;
  return short.startsWith(MAPPED) && short.includes('.') ? short.slice(MAPPED.length) : short;
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}
