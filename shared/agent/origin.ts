// Where an agent's definition came from, so that what is wrong with it can be found.

/** Lines by path, such as `tools.0.module`; '' is the definition itself. Definitions inside modules have none. */
export type Lines = Readonly<Record<string, number>>;

export interface Origin {
  /** Absolute path. */
  readonly file: string;
  /** The line of what stands at this path, or of the nearest thing around it that does stand there. */
  lineOf(path: readonly PropertyKey[]): number | null;
}

export function originOf(file: string, lines: Lines): Origin {
  return {
    file,
    lineOf(path) {
      for (let length = path.length; length >= 0; length -= 1) {
        const line = lines[path.slice(0, length).join('.')];
        if (line !== undefined) return line;
      }
      return null;
    },
  };
}
