// A way to a Redis that can drop, without a word, the connections on which it publishes, as a firewall does that has forgotten them.
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { Test } from 'tap';
import type { RedisServer } from './redis_server.ts';

export interface RedisProxy {
  readonly port: number;
  readonly url: string;
  /** Connections on which somebody listens, and that are not dropped. */
  readonly listening: number;
  /** Nothing passes any more on the connections that listen now: they stay open. */
  drop(): void;
  /** The same for every one that comes. */
  dropAll(): void;
}

export async function proxyTo(t: Test, { port }: Pick<RedisServer, 'port'>): Promise<RedisProxy> {
  const sockets = new Set<Socket>();
  const listening = new Set<Socket>();
  let dropsAll = false;
  const server = createServer((client) => {
    const redis = connect(port, '127.0.0.1');
    let isDropped = false;
    client.on('data', (data) => {
      if (data.includes('subscribe')) {
        if (dropsAll) isDropped = true;
        else listening.add(client);
      }
      if (!isDropped) redis.write(data);
    });
    redis.on('data', (data) => isDropped || client.write(data));
    client.on('dropped', () => (isDropped = true));
    for (const [socket, other] of [[client, redis], [redis, client]] as const) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        sockets.delete(socket);
        listening.delete(socket);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const { port: own } = server.address() as AddressInfo;
  const drop = (): void => {
    for (const client of listening) client.emit('dropped');
    listening.clear();
  };
  return {
    port: own,
    url: `redis://127.0.0.1:${own}`,
    get listening() {
      return listening.size;
    },
    drop,
    dropAll() {
      dropsAll = true;
      drop();
    },
  };
}
