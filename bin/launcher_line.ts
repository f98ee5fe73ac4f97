// The supervisor's side of the launcher that has started it; without one there is none, and the process sees to itself.
import { lookup } from 'node:dns/promises';
import type { Socket } from 'node:net';
import type { Order, Report } from './launcher_protocol.ts';
import type { Orders } from './signals.ts';

export class LauncherLine {
  #answered: ((order: Order, socket: Socket | undefined) => void) | undefined;

  /** Only where the process has a launcher. @param orders what it may be told; to lose the launcher is an order to stop */
  constructor(orders: Orders) {
    process.on('message', (order: Order, socket: Socket | undefined) => {
      switch (order.type) {
        case 'stop':
          orders.stop(order.reason);
          return;
        case 'stop_now':
          orders.stopNow(order.reason);
          return;
        case 'reload':
          orders.reload(order.reason);
          return;
        case 'socket':
        case 'not_bound':
          this.#answered?.(order, socket);
          return;
        default:
          order satisfies never;
      }
    });
    process.on('disconnect', () => orders.stop('the launcher has gone'));
  }

  tell(report: Report): void {
    if (process.connected) process.send?.(report, undefined, {}, () => undefined);
  }

  /**
   * The launcher's socket for an address, to listen on.
   * @returns null where it can hold none
   * @throws the error of the system, such as EADDRINUSE
   */
  async socket(host: string, port: number): Promise<Socket | null> {
    const { address } = await lookup(host);
    const answer = Promise.withResolvers<Socket | null>();
    this.#answered = (order, socket) => {
      if (order.type === 'not_bound') answer.reject(Object.assign(new Error(`${host} port ${port}: ${order.code}`), { code: order.code }));
      else answer.resolve(socket ?? null);
    };
    this.tell({ type: 'bind', host: address, port });
    return answer.promise;
  }
}
