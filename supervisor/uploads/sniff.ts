// Tells a file's media type by its first bytes; what the client says counts only where it chooses among the kinds of text.

/** What the detection looks at, in bytes: as much as `file-type` asks for. */
export const HEAD_BYTES = 4100;

/** No parameters, and short: https://www.rfc-editor.org/rfc/rfc6838#section-4.2 */
const MEDIA_TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,48}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,48}$/;
/** Kinds of text among application/…, with or without `x-`. */
const TEXT_SUBTYPES: ReadonlySet<string> = new Set([
  'json', 'json5', 'jsonl', 'ndjson', 'xml', 'xml-dtd', 'yaml', 'toml', 'csv', 'sql', 'graphql', 'javascript', 'ecmascript', 'typescript', 'python',
  'ruby', 'perl', 'php', 'httpd-php', 'sh', 'shellscript', 'tex', 'latex', 'subrip', 'rtf', 'mbox', 'postscript', 'pgp-encrypted',
]);
/** C0 controls that no text has: all but tab, line feed, form feed, carriage return and escape. */
// eslint-disable-next-line no-control-regex -- controls are what it is about
const BINARY_CONTROLS = /[\u0000-\u0008\u000b\u000e-\u001a\u001c-\u001f]/;

/**
 * @param head the file's first `HEAD_BYTES`, or all of it
 * @param isWhole whether that is all of it
 * @param declared the client's word for it, in lower case, without parameters
 */
export async function mediaTypeOf(head: Buffer, isWhole: boolean, declared: string): Promise<string> {
  const isText = isTextual(head, isWhole);
  const recognised = await recognise(head);
  // A few letters are enough for some signatures: a text may begin with BM, MZ or "solid". What is text can only be of a format that begins as text.
  if (recognised !== undefined && (!isText || recognised === 'application/pdf' || isTextType(recognised))) return recognised;
  if (!isText) return 'application/octet-stream';
  return MEDIA_TYPE.test(declared) && isTextType(declared) ? declared : 'text/plain';
}

/** Loads what recognises files, which many servers never need, before it is asked for. */
export function prepareMediaTypes(): void {
  import('file-type').catch(() => undefined);
}

async function recognise(head: Buffer): Promise<string | undefined> {
  const { fileTypeFromBuffer } = await import('file-type');
  // A broken file of a known format is of no known format.
  const found = await fileTypeFromBuffer(head).catch(() => undefined);
  return found?.mime.split(';', 1)[0];
}

/** Not image/svg+xml, though it is text: whoever looks for images by `image/` would send a model what it cannot read. */
function isTextType(type: string): boolean {
  const [tree, subtype = ''] = type.split('/');
  if (tree === 'text') return true;
  return tree === 'application' && (/\+(json|xml|yaml)$/.test(subtype) || TEXT_SUBTYPES.has(subtype.replace(/^x-/, '')));
}

function isTextual(head: Buffer, isWhole: boolean): boolean {
  try {
    // As a stream where the file goes on: its head may end inside of a character.
    return !BINARY_CONTROLS.test(new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: !isWhole }));
  } catch {
    return false;
  }
}
