// Whether a text can be the base URL of a model's server.

/** What a base URL would have to be; null where it is that. Credentials in it would reach logs and errors. */
export function baseUrlProblem(text: string): string | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return 'an http or https URL';
  return url.username === '' && url.password === '' ? null : 'a URL without credentials';
}
