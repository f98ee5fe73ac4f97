// The connection on which Redis tells what is published: it asks for nothing by itself, so that it is asked whether it still hears.
import type { Redis } from 'ioredis';
import type { Logger } from '../../log.ts';

export interface SubscriberOptions {
  /** Not connected yet, and used by nobody else. */
  readonly redis: Redis;
  /** `host:port`, for the log. */
  readonly address: string;
  /** ms without an answer after which the connection is given up. */
  readonly silenceMs: number;
  readonly log: Logger;
}

export class Subscriber {
  readonly #options: SubscriberOptions;
  readonly #redis: Redis;
  readonly #readers = new Map<string, (message: string) => void>();
  /** On the clock of `performance.now()`. */
  #answeredAt = performance.now();
  #isRefused = false;

  constructor(options: SubscriberOptions) {
    this.#options = options;
    this.#redis = options.redis;
    this.#redis.on('error', () => undefined);
    this.#redis.on('ready', () => this.#subscribe());
    this.#redis.on('message', (channel: string, message: string) => this.#readers.get(channel)?.(message));
  }

  /** Connects, and goes on trying while Redis is away. */
  connect(): void {
    void this.#redis.connect().catch(() => undefined);
  }

  /** Calls `read` with what is published to a channel, as far as it arrives: what nobody heard is not repeated. */
  listen(channel: string, read: (message: string) => void): void {
    this.#readers.set(channel, read);
    if (this.#redis.status === 'ready') this.#subscribe();
  }

  /** To be called again and again while Redis answers on another connection: a firewall or a balancer may have dropped this one without a word. */
  check(): void {
    // One that is not ready is tried anew, or given up, by itself.
    if (this.#redis.status !== 'ready') return;
    if (performance.now() - this.#answeredAt > this.#options.silenceMs) {
      this.#options.log.warn({ redis: this.#options.address }, 'the connection on which Redis publishes is silent, and is opened anew');
      this.reconnect();
      return;
    }
    void this.#redis.ping().then(() => this.#answered(), () => undefined);
  }

  reconnect(): void {
    this.#answered();
    this.#redis.disconnect(true);
  }

  close(): void {
    this.#redis.disconnect();
  }

  #answered(): void {
    this.#answeredAt = performance.now();
  }

  #subscribe(): void {
    this.#answered();
    if (this.#readers.size === 0) return;
    this.#redis.subscribe(...this.#readers.keys()).then(() => this.#refused(null), (error: Error) => {
      // Of a connection that was closed the next one asks anew.
      if (error.name === 'ReplyError') this.#refused(error.message);
    });
  }

  /** What is not heard is found out later: a server whose user may not listen works, but slower, and nobody would know why. */
  #refused(reason: string | null): void {
    if (reason !== null && !this.#isRefused) this.#options.log.warn({ redis: this.#options.address, reason }, 'Redis lets this server listen to nothing');
    this.#isRefused = reason !== null;
  }
}
