// Gives each interaction its own process.env, its own stray errors and its own console, in a thread that many interactions share.
import { AsyncLocalStorage } from 'node:async_hooks';
import { syncBuiltinESMExports } from 'node:module';

type Environment = Record<string, string>;

/** What belongs to one interaction, wherever its code runs: after awaits, in timers, in callbacks. */
export interface Scope {
  readonly id: string;
  /** null once it has ended: what still runs of it then writes into a copy of its own. */
  env: Environment | null;
  /** Ends the interaction because of an error that no await of it saw. */
  fail(error: unknown): void;
}

export interface IsolationSettings {
  readonly baseEnv: Readonly<Environment>;
  /** One interaction at a time: whatever runs in the thread then belongs to it, callbacks of pooled connections included. */
  readonly exclusive: boolean;
  /** An error out of no await; `id` is null where it belongs to no interaction. */
  onStray(id: string | null, error: unknown): void;
  onConsole(id: string | null, stream: 'stdout' | 'stderr', text: string): void;
}

export interface Isolation {
  /** What `process.env` is outside of any interaction; what the agent's modules set while they load stays in it. */
  readonly base: Environment;
  /** Runs `work` as the interaction's own. */
  enter<T>(scope: Scope, work: () => T): T;
  /** Takes the interaction's variables away from whatever it left running. */
  leave(scope: Scope): void;
}

/** Replaces process.env, process.exit, the console's streams and the handlers of stray errors. Once a thread, before any code of the agent is loaded. */
export function installIsolation(settings: IsolationSettings): Isolation {
  const scopes = new AsyncLocalStorage<Scope>();
  const base = Object.assign(Object.create(null) as Environment, settings.baseEnv);
  let only: Scope | undefined;
  const scopeNow = (): Scope | undefined => scopes.getStore() ?? only;

  // The one that runs comes first: what an earlier one began, such as a pooled connection, now works for this one.
  installEnv(() => {
    const scope = only ?? scopes.getStore();
    if (scope === undefined) return base;
    return (scope.env ??= Object.assign(Object.create(null) as Environment, base));
  });
  installExit(scopeNow, settings.onConsole);
  installConsole((stream, text) => settings.onConsole(scopeNow()?.id ?? null, stream, text));

  const stray = (error: unknown): void => {
    const scope = scopeNow();
    scope?.fail(error);
    settings.onStray(scope?.id ?? null, error);
  };
  process.on('uncaughtException', stray);
  process.on('unhandledRejection', stray);

  return {
    base,
    enter(scope, work) {
      if (settings.exclusive) only = scope;
      return scopes.run(scope, work);
    },
    leave(scope) {
      scope.env = null;
      if (only === scope) only = undefined;
    },
  };
}

function installEnv(current: () => Environment): void {
  const proxy = new Proxy(Object.create(null) as Environment, {
    // The fallback makes process.env.hasOwnProperty(…) and the like work, as they do on the real one.
    get: (_target, key) => {
      if (typeof key !== 'string') return undefined;
      const env = current();
      return Object.hasOwn(env, key) ? env[key] : (Object.prototype as unknown as Record<string, unknown>)[key];
    },
    set: (_target, key, value) => {
      if (typeof key === 'symbol' || typeof value === 'symbol') throw new TypeError('Cannot convert a Symbol value to a string');
      current()[key] = String(value);
      return true;
    },
    has: (_target, key) => typeof key === 'string' && Object.hasOwn(current(), key),
    deleteProperty: (_target, key) => {
      if (typeof key === 'string') delete current()[key];
      return true;
    },
    ownKeys: () => Object.keys(current()),
    getOwnPropertyDescriptor: (_target, key) => {
      const env = current();
      if (typeof key !== 'string' || !Object.hasOwn(env, key)) return undefined;
      return { value: env[key], writable: true, enumerable: true, configurable: true };
    },
    defineProperty: (_target, key, descriptor) => {
      if (typeof key === 'string') current()[key] = String(descriptor.value);
      return true;
    },
  });
  Object.defineProperty(process, 'env', { value: proxy, enumerable: true, configurable: true, writable: true });
  // Without this, `import { env } from 'node:process'` goes on seeing the real one.
  syncBuiltinESMExports();
}

function installExit(scopeNow: () => Scope | undefined, print: IsolationSettings['onConsole']): void {
  const exit = (code?: number | string | null): never => {
    const error = new Error(`The agent called process.exit(${code ?? ''}), which does not end the server.`);
    const scope = scopeNow();
    // Whoever catches what is thrown here does not say why the interaction failed.
    if (scope !== undefined) print(scope.id, 'stderr', `${error.message}\n`);
    scope?.fail(error);
    throw error;
  };
  Object.defineProperty(process, 'exit', { value: exit, configurable: true, writable: true });
  Object.defineProperty(process, 'reallyExit', { value: exit, configurable: true, writable: true });
}

function installConsole(print: (stream: 'stdout' | 'stderr', text: string) => void): void {
  for (const stream of ['stdout', 'stderr'] as const) {
    const write = (chunk: string | Uint8Array, encoding?: BufferEncoding | (() => void), done?: () => void): boolean => {
      print(stream, typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8'));
      const callback = typeof encoding === 'function' ? encoding : done;
      if (callback !== undefined) process.nextTick(callback);
      return true;
    };
    Object.defineProperty(process[stream], 'write', { value: write, configurable: true, writable: true });
  }
}
