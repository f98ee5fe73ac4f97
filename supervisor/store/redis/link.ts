// The link to Redis: every question is answered in time or refused, and nothing is asked while Redis is known to be away.
import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import type { StoreAddress } from '../../../shared/store_address.ts';
import type { Logger } from '../../log.ts';
import { StoreFull } from '../refusal.ts';
import { Clock } from './clock.ts';
import { inTime } from './in_time.ts';
import { script } from './script.ts';
import { Subscriber } from './subscriber.ts';
import { RedisUnreachable } from './unreachable.ts';

/** A question is given so long. */
export const ASK_TIMEOUT_MS = 500;
/** Of that, for the answer's way back: what is done in the last moment would be done for nobody. */
const ANSWER_MS = 100;
/** How often Redis is asked whether it is there. */
const BEAT_MS = 300;
/** This server counts as alive for so long after its last beat: what it holds for others to wait on is theirs then. */
const LEASE_MS = 8000;
/** A connection that has been silent for so long is given up: its other end may have gone without a word. */
export const SILENCE_MS = 3000;
const LAST_RECONNECT_MS = 500;

/** One whose memory is full does not write the lease, but renews it. @returns time in s and µs, 1 where the lease is new, 1 where it is full */
const BEAT = script(`
  local time, wasThere = redis.call('TIME'), redis.call('EXISTS', KEYS[1]) == 1
  if redis.pcall('SET', KEYS[1], '1', 'PX', ARGV[1]).ok then return { time[1], time[2], wasThere and 0 or 1, 0 } end
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  return { time[1], time[2], 0, 1 }
`);

export class RedisLink {
  /** This run of this server, as others see it. */
  readonly server = randomBytes(8).toString('hex');
  /** `host:port`. */
  readonly address: string;
  readonly #prefix: string;
  readonly #log: Logger;
  readonly #redis: Redis;
  readonly #subscriber: Subscriber;
  readonly #clock = new Clock();
  readonly #beaters: ((isFirst: boolean) => Promise<void>)[] = [];
  /** End the wait of those that have asked. */
  readonly #asking = new Set<(error: RedisUnreachable) => void>();
  #isUp = false;
  #isFull = false;
  #beating: Promise<void> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #reason = 'not connected yet';
  #answeredAt = performance.now();
  #closed = false;

  /** @param agent its keys begin with `oai:<agent>:` */
  constructor({ url, shown }: StoreAddress, agent: string, log: Logger) {
    this.address = shown;
    this.#prefix = `oai:${agent}:`;
    this.#log = log;
    this.#redis = connect(url.reveal() ?? '');
    this.#subscriber = new Subscriber({ redis: connect(url.reveal() ?? ''), address: shown, silenceMs: SILENCE_MS, log });
    // The message alone: ioredis's errors carry the command, and that of AUTH the password.
    this.#redis.on('error', ({ message }: Error) => {
      this.#reason = message;
    });
    this.#redis.on('ready', () => this.#beat());
    this.#redis.on('close', () => this.#down(this.#reason));
  }

  /** Whether Redis answers. */
  get isUp(): boolean {
    return this.#isUp;
  }

  /** Whether it refuses to write, as its memory is full. */
  get isFull(): boolean {
    return this.#isFull;
  }

  key(name: string): string {
    return this.#prefix + name;
  }

  /** Until when, on Redis's own clock in ms since 1970, a script may still change something: whoever asks for it does not wait longer. */
  get deadline(): number {
    return Math.floor(this.#clock.now() + ASK_TIMEOUT_MS - ANSWER_MS);
  }

  /**
   * Connects, and goes on trying while Redis is away.
   * @returns whether Redis has answered the first time
   */
  async open(): Promise<boolean> {
    this.#subscriber.connect();
    await inTime(this.#redis.connect(), ASK_TIMEOUT_MS).catch(() => undefined);
    await this.#beat();
    this.#timer = setInterval(() => void this.#beat(), BEAT_MS);
    return this.#isUp;
  }

  /**
   * Asks Redis.
   * @param limitMs longer for what may be megabytes: that it takes its time is no sign of silence
   * @throws RedisUnreachable at once where Redis is known to be away, or found to be meanwhile, else within the limit; StoreFull; what Redis itself answers
   *   with
   */
  async ask<T>(question: (redis: Redis) => Promise<T>, limitMs = ASK_TIMEOUT_MS): Promise<T> {
    if (!this.#isUp) throw this.#unreachable();
    const { promise: away, reject } = Promise.withResolvers<never>();
    this.#asking.add(reject);
    try {
      return await Promise.race([inTime(question(this.#redis), limitMs), away]);
    } catch (error) {
      if (error instanceof RedisUnreachable && limitMs === ASK_TIMEOUT_MS) this.#down(error.message);
      const told = withoutCommand(error);
      if (told instanceof StoreFull) this.#full(true);
      throw told;
    } finally {
      this.#asking.delete(reject);
    }
  }

  /**
   * Calls `beat` with every sign of life of Redis, the next time when all have ended.
   * @param beat `isFirst`: it had been away, is new, or has lost what this server held. What it throws counts as silence
   */
  onBeat(beat: (isFirst: boolean) => Promise<void>): void {
    this.#beaters.push(beat);
  }

  /** Calls `read` with what is published to a channel of this agent's, as far as it arrives: what nobody heard is not repeated. */
  onMessage(channel: string, read: (message: string) => void): void {
    this.#subscriber.listen(this.key(channel), read);
  }

  /** Lets go of Redis, and of what this server holds there. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#beating;
    if (this.#isUp) await inTime(this.#redis.del(this.key(`server:${this.server}`)), ASK_TIMEOUT_MS).catch(() => undefined);
    this.#isUp = false;
    this.#redis.disconnect();
    this.#subscriber.close();
  }

  #beat(): Promise<void> {
    this.#beating ??= this.#beatOnce().finally(() => {
      this.#beating = null;
    });
    return this.#beating;
  }

  async #beatOnce(): Promise<void> {
    if (this.#closed) return;
    const asked = performance.now();
    try {
      if (this.#redis.status !== 'ready') throw new RedisUnreachable(this.#reason);
      const answer = (await inTime(BEAT(this.#redis, [this.key(`server:${this.server}`)], [LEASE_MS]), ASK_TIMEOUT_MS)) as [string, string, number, number];
      this.#answeredAt = performance.now();
      this.#clock.set(Number(answer[0]) * 1000 + Number(answer[1]) / 1000, asked, this.#answeredAt);
      // Without its lease this server counted as gone, as after a long pause of its own: what it held there, others may have taken away.
      const isFirst = !this.#isUp || answer[2] === 1;
      if (!this.#isUp) this.#up();
      this.#full(answer[3] === 1);
      this.#subscriber.check();
      // Every one is told before anything else can ask: that Redis was away is to be known to each.
      const told = await Promise.allSettled(this.#beaters.map((beat) => beat(isFirst)));
      const silent = told.find(({ status }) => status === 'rejected');
      if (silent?.status === 'rejected') throw silent.reason;
    } catch (error) {
      if (this.#closed) return;
      this.#down(error instanceof Error ? error.message : String(error));
      if (this.#redis.status === 'ready' && performance.now() - this.#answeredAt > SILENCE_MS) this.#reconnect();
    }
  }

  #up(): void {
    this.#isUp = true;
    // Until another is known: a connection that is closed in order has no error.
    this.#reason = 'the connection was closed';
    this.#log.info({ redis: this.address }, 'Redis answers');
  }

  #down(reason: string): void {
    this.#reason = reason;
    if (!this.#isUp || this.#closed) return;
    this.#isUp = false;
    this.#log.warn({ redis: this.address, reason }, 'Redis does not answer');
    for (const reject of this.#asking) reject(this.#unreachable());
  }

  #full(isFull: boolean): void {
    if (this.#isFull === isFull) return;
    this.#isFull = isFull;
    if (isFull) this.#log.warn({ redis: this.address }, 'Redis is full: it refuses to write');
    else this.#log.info({ redis: this.address }, 'Redis writes again');
  }

  #unreachable(): RedisUnreachable {
    return new RedisUnreachable(`Redis at ${this.address} is away: ${this.#reason}`);
  }

  #reconnect(): void {
    this.#answeredAt = performance.now();
    this.#redis.disconnect(true);
    this.#subscriber.reconnect();
  }
}

/** The message alone: an error of ioredis carries the command, which may hold what nobody is to read. */
function withoutCommand(error: unknown): Error {
  if (!(error instanceof Error)) return new RedisUnreachable(String(error));
  if (error.name !== 'ReplyError') return new RedisUnreachable(error.message);
  return error.message.startsWith('OOM') ? new StoreFull(error.message) : new Error(error.message);
}

function connect(url: string): Redis {
  return new Redis(url, {
    lazyConnect: true,
    // With any of the defaults of the next four a command waits for as long as Redis is away.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: ASK_TIMEOUT_MS,
    commandTimeout: SILENCE_MS,
    keepAlive: SILENCE_MS,
    // The default believes Redis's own guess of how long it will take to read its data, for up to 10 s.
    maxLoadingRetryTime: LAST_RECONNECT_MS,
    retryStrategy: (times) => Math.min(50 * 2 ** times, LAST_RECONNECT_MS),
    autoResubscribe: false,
    connectionName: 'oai-agent-server',
  });
}
