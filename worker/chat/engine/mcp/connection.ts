// Keeps one MCP server connected: tries again when it is lost, later and later, and at once when a call needs it.
import type { CallToolResult } from '@modelcontextprotocol/client';
import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import type { McpServerState } from '../../../../shared/protocol.ts';
import { Backoff } from './backoff.ts';
import { McpFailure, toFailure } from './failure.ts';
import type { Link, LinkWatch, OpenedLink } from './link.ts';
import type { ServerLog } from './server_log.ts';
import type { ToolList } from './tool_list.ts';

/** A call tries by itself, unless somebody has just tried. */
const FRESH_MS = 1000;
/** A server that has not answered a call, nor this long anything else, hangs. */
const PING_TIMEOUT_MS = 10_000;
/** The part of a call's time after which it was not its caller who gave it up: the caller's clock began a little earlier. */
const TIMED_OUT = 0.9;
/** Between two lists of a server that goes on saying that its tools have changed. */
const LIST_INTERVAL_MS = 250;

export interface ConnectionSettings {
  readonly name: string;
  /** Whether it comes back by itself, not only when it is called. */
  readonly returns: boolean;
  readonly log: ServerLog;
  /** @throws McpFailure; after an abort, the signal's reason */
  connect(watch: LinkWatch & Doubt, signal: AbortSignal): Promise<OpenedLink>;
  /** The state, or what the server lists, is another now. */
  changed(): void;
}

/** Something was heard that may mean the end of the server. */
export interface Doubt {
  doubt(): void;
}

export class McpConnection {
  readonly #settings: ConnectionSettings;
  /** Whatever a call begins here goes on after its interaction, and belongs to whoever made the connection. */
  readonly #inOwnContext = AsyncLocalStorage.snapshot();
  readonly #ending = new AbortController();
  readonly #left = new Set<Promise<void>>();
  #link: Link | null = null;
  #list: ToolList = { tools: [], notes: [] };
  #attempt: Promise<Link> | null = null;
  #triedAt = Number.NEGATIVE_INFINITY;
  #connectedAt = 0;
  readonly #backoff = new Backoff();
  #error: string | null = null;
  #retry: NodeJS.Timeout | undefined;
  #checking = false;
  #listing = false;
  #listIsOld = false;

  constructor(settings: ConnectionSettings) {
    this.#settings = settings;
  }

  get state(): McpServerState['state'] {
    return this.#link !== null ? 'connected' : this.#attempt === null ? 'down' : 'connecting';
  }

  /** Why it is down, as the rest of a sentence that begins with the server; null while it is connected. */
  get error(): string | null {
    return this.#error;
  }

  /** As last listed. */
  get list(): ToolList {
    return this.#list;
  }

  /** The first attempt; the only one if it fails. @throws McpFailure; after an abort, the signal's reason */
  async open(signal?: AbortSignal): Promise<void> {
    const abort = () => this.#ending.abort(signal?.reason);
    signal?.throwIfAborted();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      await this.#tryOnce();
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /**
   * @param timeoutMs after which the caller's signal is aborted
   * @throws McpFailure; after an abort, anything
   */
  async call(tool: string, args: Record<string, unknown>, signal: AbortSignal, timeoutMs: number): Promise<CallToolResult> {
    const began = performance.now();
    for (let again = true; ; again = false) {
      const link = await this.#linkNow();
      signal.throwIfAborted();
      try {
        return await this.#inOwnContext(() => link.call(tool, args, signal, timeoutMs));
      } catch (error) {
        if (signal.aborted) {
          // Its caller has given it up: at a cancel there is nothing to learn from that, at a timeout there is.
          if (performance.now() - began > timeoutMs * TIMED_OUT) this.#check(link);
          throw error;
        }
        const failure = toFailure(error, false);
        if (failure.kind === 'cut') this.#check(link);
        else if (failure.kind !== 'refused' && failure.kind !== 'said') this.#lose(link, failure.message);
        // Only what has certainly done nothing is sent again.
        if (!again || (failure.kind !== 'session' && failure.kind !== 'unsent')) throw failure;
      }
    }
  }

  /** Resolves when nothing of it is left. Never rejects. */
  async close(): Promise<void> {
    this.#ending.abort();
    clearTimeout(this.#retry);
    await this.#attempt?.catch(() => undefined);
    if (this.#link !== null) this.#leave(this.#link, true);
    this.#link = null;
    await Promise.all(this.#left);
  }

  /** @throws McpFailure where there is no connection, and none can be made now */
  async #linkNow(): Promise<Link> {
    if (this.#link !== null) return this.#link;
    if (this.#ending.signal.aborted || (this.#attempt === null && performance.now() - this.#triedAt < FRESH_MS)) throw new McpFailure('refused', 'is down');
    try {
      return await this.#inOwnContext(() => this.#tryOnce());
    } catch {
      throw new McpFailure('refused', 'is down');
    }
  }

  /** Joins an attempt that is under way. */
  #tryOnce(): Promise<Link> {
    if (this.#attempt !== null) return this.#attempt;
    clearTimeout(this.#retry);
    this.#triedAt = performance.now();
    this.#attempt = Promise.resolve().then(() => this.#connect()).finally(() => {
      this.#attempt = null;
      this.#settings.changed();
    });
    this.#settings.changed();
    return this.#attempt;
  }

  async #connect(): Promise<Link> {
    let own: Link | null = null;
    // What is heard before the connection is ours waits until it is.
    const early: ((link: Link) => void)[] = [];
    const heard = (take: (link: Link) => void) => void (own === null ? early.push(take) : take(own));
    const watch = {
      closed: (reason: string) => heard((link) => this.#lose(link, reason)),
      toolsChanged: () => heard((link) => void this.#listAgain(link)),
      doubt: () => heard((link) => this.#check(link)),
    };
    try {
      const { link, list } = await this.#settings.connect(watch, this.#ending.signal);
      if (this.#error !== null) this.#settings.log.info('connected again');
      this.#link = link;
      this.#list = list;
      this.#error = null;
      this.#connectedAt = performance.now();
      own = link;
      for (const take of early) take(link);
      return link;
    } catch (error) {
      if (this.#ending.signal.aborted) throw error;
      const failure = toFailure(error, false);
      if (this.#error !== failure.message) this.#settings.log.warn(failure.message);
      this.#error = failure.message;
      if (this.#settings.returns && this.#connectedAt > 0) this.#tryLater();
      throw failure;
    }
  }

  /** What runs on it fails now, not at its timeout. */
  #lose(link: Link, reason: string): void {
    if (this.#link !== link) return;
    this.#link = null;
    this.#error = reason;
    this.#leave(link, false);
    this.#settings.log.warn(reason);
    this.#backoff.lost(performance.now() - this.#connectedAt);
    if (this.#settings.returns) this.#tryLater();
    this.#settings.changed();
  }

  #tryLater(): void {
    if (this.#ending.signal.aborted) return;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#tryOnce().catch(() => undefined), this.#backoff.next());
  }

  /** Asks a server that may be gone, or may hang, for a sign of life. */
  #check(link: Link): void {
    if (this.#checking || this.#link !== link) return;
    this.#checking = true;
    this.#inOwnContext(() => link.ping(PING_TIMEOUT_MS))
      .catch((error: unknown) => {
        // An error of its own is an answer, too.
        const failure = toFailure(error, false);
        if (failure.kind !== 'said' && failure.kind !== 'refused') this.#lose(link, failure.message);
      })
      .finally(() => (this.#checking = false));
  }

  async #listAgain(link: Link): Promise<void> {
    this.#listIsOld = true;
    if (this.#listing) return;
    this.#listing = true;
    try {
      while (this.#listIsOld && this.#link === link) {
        this.#listIsOld = false;
        const list = await link.list(this.#ending.signal);
        if (this.#link === link) this.#list = list;
        this.#settings.changed();
        await delay(LIST_INTERVAL_MS, undefined, { ref: false });
      }
    } catch (error) {
      if (!this.#ending.signal.aborted) this.#settings.log.warn(`its tools could not be listed again: ${toFailure(error, false).message}`);
    }
    this.#listing = false;
  }

  #leave(link: Link, politely: boolean): void {
    const left = link.close(politely).finally(() => this.#left.delete(left));
    this.#left.add(left);
  }
}
