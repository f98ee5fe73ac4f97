// Whose request it is behind proxies: only what a trusted one says counts, and no further than they vouch for.
import type { IncomingMessage } from 'node:http';
import t from 'tap';
import { addressGroup, createClientAddress } from '../../../supervisor/access/client_address.ts';

const PROXIES = ['10.0.0.0/8', '192.0.2.1', '172.16.5.4/12', '::1', '2001:db8:aa::/48', '::ffff:198.51.100.0/120'];

const clientOf = (proxies: readonly string[], peer: string | undefined, forwarded?: string): string => {
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
  return createClientAddress(() => proxies)({ socket: { remoteAddress: peer }, headers } as unknown as IncomingMessage);
};

t.test('the client behind trusted proxies is the rightmost address that is none of theirs', async (t) => {
  const cases: readonly (readonly [title: string, peer: string | undefined, forwarded: string | undefined, client: string])[] = [
    ['an untrusted peer is the client, whatever it says', '203.0.113.9', '1.2.3.4', '203.0.113.9'],
    ['a neighbour of a network that is trusted', '11.0.0.1', '1.2.3.4', '11.0.0.1'],
    ['a neighbour of an address that is trusted', '192.0.2.2', '1.2.3.4', '192.0.2.2'],
    ['a trusted peer that says nothing', '10.0.0.1', undefined, '10.0.0.1'],
    ['an empty field', '10.0.0.1', '', '10.0.0.1'],
    ['one address', '10.0.0.1', '1.2.3.4', '1.2.3.4'],
    ['what the client wrote itself stands left', '10.0.0.1', '127.0.0.1, 8.8.8.8, 1.2.3.4', '1.2.3.4'],
    ['a chain of proxies', '10.0.0.1', '8.8.8.8, 1.2.3.4, 192.0.2.1,10.9.9.9', '1.2.3.4'],
    ['a trusted address left of the client is the client\'s word', '10.0.0.1', '10.0.0.7, 1.2.3.4', '1.2.3.4'],
    ['where all are trusted the leftmost counts', '10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
    ['a network whose entry has bits of a host', '172.31.255.255', '1.2.3.4', '1.2.3.4'],
    ['and what is beyond it', '172.32.0.1', '1.2.3.4', '172.32.0.1'],
    ['a peer of IPv4 that is mapped into IPv6', '::ffff:10.0.0.1', '1.2.3.4', '1.2.3.4'],
    ['one that is not trusted', '::ffff:11.0.0.1', '1.2.3.4', '11.0.0.1'],
    ['an entry that is mapped', '10.0.0.1', '::ffff:1.2.3.4', '1.2.3.4'],
    ['an entry that is mapped, in hexadecimal', '10.0.0.1', '1.2.3.4, ::ffff:0a00:0002', '1.2.3.4'],
    ['a network of proxies that is written mapped', '198.51.100.7', '1.2.3.4', '1.2.3.4'],
    ['and what is beyond it, mapped', '::ffff:198.51.101.7', '1.2.3.4', '198.51.101.7'],
    ['a peer of IPv6', '::1', '2001:db8:1::7', '2001:db8:1::7'],
    ['a network of IPv6', '2001:db8:aa:ffff::1', '1.2.3.4', '1.2.3.4'],
    ['and what is beyond it, in IPv6', '2001:db8:ab::1', '1.2.3.4', '2001:db8:ab::1'],
    ['IPv6 in another spelling', '::1', '2001:0DB8:0001:0:0:0:0:0007', '2001:db8:1::7'],
    ['a proxy in another spelling', '::1', '1.2.3.4, 2001:0DB8:00AA::1', '1.2.3.4'],
    ['a zone', 'fe80::1%eth0', '1.2.3.4', 'fe80::1'],
    ['a port', '10.0.0.1', '1.2.3.4:567', '1.2.3.4'],
    ['brackets', '10.0.0.1', '[2001:db8::5]', '2001:db8::5'],
    ['brackets and a port', '10.0.0.1', '1.2.3.4, [::1]:80', '1.2.3.4'],
    ['a proxy with a port', '10.0.0.1', '1.2.3.4, 10.0.0.2:8080', '1.2.3.4'],
    ['tabs and blanks', '10.0.0.1', '\t8.8.8.8 ,\t 1.2.3.4 ', '1.2.3.4'],
    ['a word ends the search', '10.0.0.1', '1.2.3.4, unknown', '10.0.0.1'],
    ['and the last proxy that was named counts', '10.0.0.1', '1.2.3.4, _hidden, 10.0.0.2', '10.0.0.2'],
    ['a word left of the client does not matter', '10.0.0.1', 'unknown, 1.2.3.4', '1.2.3.4'],
    ['an empty entry ends it', '10.0.0.1', '1.2.3.4,,10.0.0.2', '10.0.0.2'],
    ['an empty entry at the end', '10.0.0.1', '1.2.3.4, ', '10.0.0.1'],
    ['an empty entry at the beginning', '10.0.0.1', ',10.0.0.2', '10.0.0.2'],
    ['only commas', '10.0.0.1', ',,,', '10.0.0.1'],
    ['no address, nearly', '10.0.0.1', '1.2.3.256', '10.0.0.1'],
    ['a network', '10.0.0.1', '1.2.3.0/24', '10.0.0.1'],
    ['octal, which some read otherwise', '10.0.0.1', '010.1.2.3', '10.0.0.1'],
    ['a port that is none', '10.0.0.1', '1.2.3.4:x', '10.0.0.1'],
    ['IPv4 in brackets', '10.0.0.1', '[1.2.3.4]:80', '10.0.0.1'],
    ['brackets that stay open', '10.0.0.1', '[2001:db8::5', '10.0.0.1'],
    ['quotes', '10.0.0.1', '"1.2.3.4"', '10.0.0.1'],
    ['two addresses without a comma', '10.0.0.1', '1.2.3.4 5.6.7.8', '10.0.0.1'],
    ['a connection that is gone', undefined, '1.2.3.4', ''],
  ];
  for (const [title, peer, forwarded, client] of cases) t.equal(clientOf(PROXIES, peer, forwarded), client, title);
});

t.test('a chain without an end is not followed: what a client can write would cost more than its request', async (t) => {
  const chain = (length: number): string => ['1.2.3.4', ...Array.from({ length }, () => '::1')].join(', ');
  t.equal(clientOf(PROXIES, '10.0.0.1', chain(31)), '1.2.3.4');
  t.equal(clientOf(PROXIES, '10.0.0.1', chain(32)), '::1');
  t.equal(clientOf(PROXIES, '10.0.0.1', chain(4000)), '::1');
});

t.test('where none is trusted the peer is the client', async (t) => {
  for (const peer of ['127.0.0.1', '::1', '10.0.0.1']) t.equal(clientOf([], peer, '1.2.3.4'), peer);
  t.equal(clientOf([], '::ffff:127.0.0.1', '1.2.3.4'), '127.0.0.1');
});

t.test('where all are trusted the leftmost is', async (t) => {
  t.equal(clientOf(['0.0.0.0/0', '::/0'], '::1', '1.2.3.4, 5.6.7.8'), '1.2.3.4');
  t.equal(clientOf(['0.0.0.0/0'], '5.6.7.8', '1.2.3.4, ::1'), '::1', 'but no further than those of its family');
});

t.test('of IPv6 the first 64 bits count, of IPv4 the whole, mapped into IPv6 or not', async (t) => {
  for (const [address, group] of [
    ['1.2.3.4', '1.2.3.4'], ['::ffff:1.2.3.4', '1.2.3.4'], ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::'], ['2001:db8:1:2::', '2001:db8:1:2::'],
    ['2001:db8::6', '2001:db8:0:0::'], ['::1', '0:0:0:0::'], ['fe80::1:2:3:4%eth0', 'fe80:0:0:0::'], ['2001:db8:1::3:4:5:6', '2001:db8:1:0::'],
  ] as const) t.equal(addressGroup(address), group, address);
});
