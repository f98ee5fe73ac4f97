// What a model is sent of the user: the message, and of each uploaded file as much as a model can take.
import { readFile } from 'node:fs/promises';
import type { ModelItem, UploadedFile, UserPart } from '../../../shared/chat.ts';

/** Those that both APIs take: https://platform.openai.com/docs/guides/images-vision */
const IMAGE_TYPES: readonly string[] = ['image/png', 'image/jpeg', 'image/webp', 'image/gif'];
/** All images of one interaction together, in bytes: they are held as text, a third longer, for as long as it runs. */
const MAX_IMAGE_BYTES = 16 * 1024 * 1024;
const MAX_TEXT_BYTES = 64 * 1024;

/**
 * A plain text where there are no files, which more endpoints take than parts. Images become image parts, small texts are quoted; of all else the model
 * is told name, type, size and path, for its tools.
 * @throws the file system's error when a file is gone
 */
export async function userContent(message: string, files: readonly UploadedFile[]): Promise<string | readonly UserPart[]> {
  if (files.length === 0) return message;
  const parts: UserPart[] = [{ type: 'input_text', text: message }];
  let imageBytes = 0;
  for (const file of files) {
    if (IMAGE_TYPES.includes(file.type) && imageBytes + file.size <= MAX_IMAGE_BYTES) {
      imageBytes += file.size;
      const image = `data:${file.type};base64,${(await readFile(file.path)).toString('base64')}`;
      parts.push({ type: 'input_text', text: `[file: ${file.name}, ${file.type}, ${file.size} bytes]` }, { type: 'input_image', image });
    } else {
      parts.push({ type: 'input_text', text: (await quoted(file)) ?? `[file: ${file.name}, ${file.type}, ${file.size} bytes, at ${file.path}]` });
    }
  }
  return parts;
}

/** The user's message of this turn, as a model is sent it. */
export async function userItem(message: string, files: readonly UploadedFile[]): Promise<ModelItem> {
  const content = await userContent(message, files);
  return typeof content === 'string' ? { type: 'message', role: 'user', content } : { type: 'message', role: 'user', content };
}

/** The text of a small file; null of one that is large, or whose bytes are no UTF-8. */
async function quoted({ name, type, size, path }: UploadedFile): Promise<string | null> {
  if (size > MAX_TEXT_BYTES || type === 'application/octet-stream' || IMAGE_TYPES.includes(type)) return null;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
    return text.includes('\0') ? null : `[file: ${name}, ${type}, ${size} bytes]\n${text}\n[end of ${name}]`;
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}
