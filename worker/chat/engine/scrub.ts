// Takes secrets and terminal controls out of words that somebody else wrote, before they reach a client.

/** Shorter values are words like `eu` or `true`: hiding them would garble the sentence and protect nothing. */
const SHORTEST_SECRET = 6;

/** The values that must not leave: the key, and what the request set. */
export function secretsOf(env: Readonly<Record<string, string | undefined>>, names: readonly string[]): readonly string[] {
  const values = ['OPENAI_API_KEY', ...names].map((name) => env[name]?.trim() ?? '').filter((value) => value.length >= SHORTEST_SECRET);
  // The longest first: a value that contains another must go whole.
  return [...new Set(values)].sort((a, b) => b.length - a.length);
}

/** The text on one line, without the secrets and without credentials in URLs, cut to `limit` UTF-16 units. */
export function scrub(text: string, secrets: readonly string[], limit: number): string {
  let clean = text;
  for (const secret of secrets) clean = clean.replaceAll(secret, '***');
  clean = clean.replaceAll(/:\/\/[^\s/@]*@/g, '://***@').replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim().toWellFormed();
  return clean.length <= limit ? clean : `${clean.slice(0, limit - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
