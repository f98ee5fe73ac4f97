// What a server's answers are to the commands: JSON of this version, or a problem.
import { z } from 'zod';

const problemSchema = z.object({ detail: z.string(), code: z.string() });

/** The detail and code of a problem; null where the text is none. */
export function reasonIn(text: string): string | null {
  const { data } = problemSchema.safeParse(parsedJson(text));
  return data === undefined ? null : `${data.detail} (${data.code})`;
}

/** null where it is no JSON. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
