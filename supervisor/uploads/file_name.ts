// Makes the name that a client gives a file safe for any file system, any terminal and any log line.

/** Most file systems take 255 bytes; the rest is left to whoever copies the file with something added to its name. */
const MAX_BYTES = 200;
/** A longer ending is no extension: it is cut like the rest of the name. */
const MAX_EXTENSION_BYTES = 32;
const UNNAMED = 'file';

/** Controls, and all that is written without being seen: zero-width, bidirectional, fillers, tags. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
/** https://learn.microsoft.com/windows/win32/fileio/naming-a-file */
const RESERVED_CHARACTERS = /[<>:"|?*]/g;
const RESERVED_NAME = /^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])[ ]*(\.|$)/i;

/**
 * @param given as the client sent it; a path counts by its last part
 * @param isTaken whether another file of the same folder has the name, which is compared in `nameKey`'s form
 * @returns a name of 1–200 bytes of UTF-8, in NFC, its extension kept
 */
export function safeFileName(given: string | undefined, isTaken: (key: string) => boolean): string {
  const [stem, extension] = splitExtension(cleanName(given ?? ''));
  for (let n = 1; ; n += 1) {
    const end = n === 1 ? extension : ` (${n})${extension}`;
    const name = cutToBytes(stem, MAX_BYTES - Buffer.byteLength(end)) + end;
    if (!isTaken(nameKey(name))) return name;
  }
}

/** Two names with the same key are one file where case does not count, as on macOS and Windows. */
export function nameKey(name: string): string {
  return name.toUpperCase().toLowerCase();
}

function cleanName(given: string): string {
  const seen = given.toWellFormed().replaceAll(UNSEEN, '');
  const base = seen.slice(Math.max(seen.lastIndexOf('/'), seen.lastIndexOf('\\')) + 1);
  // NFC last: what is left out may have stood between a letter and its accent.
  const plain = trimmed(base.replaceAll(/\s+/g, ' ').replaceAll(RESERVED_CHARACTERS, '_')).normalize('NFC');
  return RESERVED_NAME.test(plain) ? `_${plain}` : plain || UNNAMED;
}

/** Leading dots hide a file, or lead out of its folder; Windows drops dots and spaces at the end. */
function trimmed(name: string): string {
  return name.replace(/^[. ]+/, '').replace(/[. ]+$/, '');
}

function splitExtension(name: string): [stem: string, extension: string] {
  const dot = name.lastIndexOf('.');
  const extension = dot === -1 ? '' : name.slice(dot);
  return Buffer.byteLength(extension) > MAX_EXTENSION_BYTES ? [name, ''] : [name.slice(0, name.length - extension.length), extension];
}

/** Between two characters, never inside of one. */
function cutToBytes(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(bytes));
  return trimmed(text.slice(0, read)) || UNNAMED;
}
