// Finds the route of a request by its raw path. The path is never made a URL: `//` would throw, and a proxy's rules would see another one than we do.
import type { IncomingMessage } from 'node:http';
import { AppError } from '../../shared/errors.ts';
import { MODES, type Mode } from '../../shared/config.ts';
import { SCOPES } from '../access/scopes.ts';
import type { Route } from '../routes/route.ts';

export interface Target {
  readonly path: string;
  readonly query: string;
}

/** All routes of one path. */
export interface Match {
  readonly byMethod: ReadonlyMap<string, Route>;
  readonly params: Readonly<Record<string, string>>;
}

interface Pattern {
  readonly regex: RegExp;
  readonly names: readonly string[];
  readonly byMethod: Map<string, Route>;
}

const UUID = '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}';
/** What stands for a parameter in a path; others take any one segment. */
const SEGMENTS: Readonly<Record<string, string>> = { interaction_id: UUID };

const NO_PARAMS = Object.freeze({});

/** @returns path and query as they stand in the request line @throws AppError MALFORMED_REQUEST */
export function parseTarget(request: IncomingMessage): Target {
  const target = request.url ?? '';
  const mark = target.indexOf('?');
  const path = mark === -1 ? target : target.slice(0, mark);
  if (!path.startsWith('/') || path.startsWith('//') || /[\\#]|\/\.{1,2}(\/|$)|%00/.test(path)) {
    throw new AppError('MALFORMED_REQUEST', { message: 'The path is malformed.' });
  }
  return { path, query: mark === -1 ? '' : target.slice(mark + 1) };
}

/**
 * Compiles the table of routes.
 * @returns finds the routes of a path
 * @throws Error when two rows claim the same path and method, and for a row without mode or scope: what nobody has decided on is open to nobody
 */
export function compileRoutes(routes: readonly Route[]): (path: string) => Match | undefined {
  const exact = new Map<string, Map<string, Route>>();
  const patterns = new Map<string, Pattern>();
  for (const route of routes) {
    checkPolicy(route);
    const byMethod = route.path.includes('{') ? patternOf(patterns, route.path).byMethod : methodsOf(exact, route.path);
    if (byMethod.has(route.method)) throw new Error(`two routes for ${route.method} ${route.path}`);
    // A path is looked up before the method is known: its rows stand and fall together.
    if ([...byMethod.values()].some(({ mode }) => mode !== route.mode)) throw new Error(`two modes for ${route.path}`);
    byMethod.set(route.method, route);
  }
  return (path) => {
    const byMethod = exact.get(path);
    if (byMethod !== undefined) return { byMethod, params: NO_PARAMS };
    for (const pattern of patterns.values()) {
      const found = pattern.regex.exec(path);
      if (found !== null) return { byMethod: pattern.byMethod, params: decode(pattern.names, found) };
    }
    return undefined;
  };
}

/** Whatever the types say: a row that came about otherwise has to have them, too. */
function checkPolicy({ method, path, mode, scope }: Route): void {
  const modes: readonly unknown[] = [...MODES, 'always'];
  const scopes: readonly unknown[] = [...SCOPES, 'open'];
  if (!modes.includes(mode)) throw new Error(`${method} ${path} has no mode`);
  if (!scopes.includes(scope)) throw new Error(`${method} ${path} has no scope`);
}

/** @returns the route @throws AppError NOT_FOUND, MODE_NOT_ALLOWED, METHOD_NOT_ALLOWED; null for an OPTIONS request */
export function chooseRoute(match: Match | undefined, method: string, modes: ReadonlySet<Mode>): Route | null {
  if (match === undefined) throw new AppError('NOT_FOUND');
  const [first] = match.byMethod.values();
  const mode = first?.mode ?? 'always';
  if (mode !== 'always' && !modes.has(mode)) {
    throw new AppError('MODE_NOT_ALLOWED', { message: `This path belongs to the mode ${mode}, which is not among --allowed-modes.` });
  }
  if (method === 'OPTIONS') return null;
  const route = match.byMethod.get(method) ?? (method === 'HEAD' ? headOf(match) : undefined);
  if (route === undefined) throw new AppError('METHOD_NOT_ALLOWED', { headers: { Allow: allowedMethods(match) } });
  return route;
}

/** The value of the Allow field. */
export function allowedMethods(match: Match): string {
  const methods = [...match.byMethod.keys()];
  if (headOf(match) !== undefined) methods.push('HEAD');
  return [...methods, 'OPTIONS'].join(', ');
}

/** HEAD is answered as GET, but a stream has no head that is worth the work. */
function headOf(match: Match): Route | undefined {
  const get = match.byMethod.get('GET');
  return get?.streams === true ? undefined : get;
}

function methodsOf(exact: Map<string, Map<string, Route>>, path: string): Map<string, Route> {
  const known = exact.get(path) ?? new Map<string, Route>();
  exact.set(path, known);
  return known;
}

function patternOf(patterns: Map<string, Pattern>, path: string): Pattern {
  const known = patterns.get(path);
  if (known !== undefined) return known;
  const names: string[] = [];
  const source = path.replace(/\{([a-z_]+)\}/g, (_whole, name: string) => {
    names.push(name);
    return `(${SEGMENTS[name] ?? '[^/]+'})`;
  });
  const pattern = { regex: new RegExp(`^${source}$`), names, byMethod: new Map<string, Route>() };
  patterns.set(path, pattern);
  return pattern;
}

function decode(names: readonly string[], found: RegExpExecArray): Record<string, string> {
  try {
    return Object.fromEntries(names.map((name, i) => [name, decodeURIComponent(found[i + 1] as string)]));
  } catch {
    throw new AppError('MALFORMED_REQUEST', { message: 'The path is not valid percent-encoding.' });
  }
}
