// Who owns the other end of a connection of this machine, as the kernel's table of sockets tells.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { ownerOfPeer } from '../../../supervisor/access/peer_owner.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';

const skip = process.platform === 'linux' ? {} : { skip: 'NOT TESTED: only Linux has the table' };
const OWN = process.getuid?.() ?? -1;

/** The server's ends of so many connections over `host`, which listens on `address`. */
async function accept(t: Test, address: string, host: string, count = 1): Promise<Socket[]> {
  const server: Server = createServer();
  const accepted: Socket[] = [];
  server.on('connection', (socket) => accepted.push(socket));
  server.listen(0, address);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const clients = Array.from({ length: count }, () => connect(port, host));
  t.teardown(() => {
    for (const socket of [...clients, ...accepted]) socket.destroy();
    server.close();
  });
  await Promise.all(clients.map((client) => once(client, 'connect')));
  while (accepted.length < count) await once(server, 'connection');
  return accepted;
}

t.test('a peer of this process belongs to its user, over IPv4, IPv6, and IPv4 mapped into it', skip, async (t) => {
  for (const [address, host] of [['127.0.0.1', '127.0.0.1'], ['::1', '::1'], ['::', '127.0.0.1']] as const) {
    const [socket] = (await accept(t, address, host)) as [Socket];
    t.equal(await ownerOfPeer(socket), OWN, `${host} to ${address}`);
  }
});

t.test('many connections that ask at once are all answered', skip, async (t) => {
  const sockets = await accept(t, '127.0.0.1', '127.0.0.1', 100);
  const first = sockets.slice(0, 50).map(ownerOfPeer);
  await new Promise((resolve) => setImmediate(resolve));
  const owners = await Promise.all([...first, ...sockets.slice(50).map(ownerOfPeer)]);
  t.strictSame(new Set(owners), new Set([OWN]));
});

t.test('where it cannot be told it is null: a socket that is gone, ends that no table has, addresses of another kind', async (t) => {
  const ends = { remoteAddress: '127.0.0.1', remotePort: 1, localAddress: '127.0.0.1', localPort: 1 };
  t.equal(await ownerOfPeer({} as Socket), null);
  t.equal(await ownerOfPeer(ends as Socket), null);
  t.equal(await ownerOfPeer({ ...ends, remoteAddress: 'fe80::1', localAddress: 'fe80::2' } as Socket), null);
});

nothingIsLeft(t);
