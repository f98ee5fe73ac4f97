// What a caller may do: the scopes, and which of them imply others.

export const SCOPES = ['chat', 'agent', 'logs', 'logs:all', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** Every scope that these come to: admin is everything, logs:all is logs too. */
export function impliedScopes(scopes: readonly Scope[]): ReadonlySet<Scope> {
  if (scopes.includes('admin')) return new Set(SCOPES);
  return new Set<Scope>(scopes.includes('logs:all') ? [...scopes, 'logs'] : scopes);
}
