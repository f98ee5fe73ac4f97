// What a page in Markdown holds: its tables, its blocks of code, its links.

export interface CodeBlock {
  readonly language: string;
  readonly text: string;
}

/** The cells below the head of the table whose head begins with these cells; without the marks of code. */
export function rowsOf(page: string, ...head: readonly string[]): string[][] {
  const tables = page.split(/\n(?!\|)/).flatMap((part) => /(?:^\|.*\n?)+/m.exec(part) ?? []);
  const found = tables.map((table) => table.trim().split('\n').map(cellsOf)).filter((rows) => head.every((cell, at) => rows[0]?.[at] === cell));
  if (found.length !== 1) throw new Error(`expected one table with the head ${head.join(', ')}, there are ${found.length}`);
  return found[0]?.slice(2) ?? [];
}

function cellsOf(line: string): string[] {
  return line.replace(/^\||\|$/g, '').split('|').map((cell) => plain(cell.trim()));
}

/** Without the marks of code. */
export function plain(text: string): string {
  return text.replaceAll('`', '');
}

/** What stands below the heading with this title, up to the next one that is no smaller. */
export function sectionOf(page: string, title: string): string {
  const [, marks = ''] = new RegExp(`^(#+) ${title}$`, 'm').exec(page) ?? [];
  if (marks === '') throw new Error(`there is no heading ${title}`);
  const [, after = ''] = page.split(`\n${marks} ${title}\n`);
  return after.split(new RegExp(`^#{1,${marks.length}} `, 'm'))[0] ?? '';
}

/** In the order of the page. */
export function codeBlocksOf(page: string): CodeBlock[] {
  return [...page.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language = '', text = '']) => ({ language, text }));
}

/** The targets of all links. */
export function linksOf(page: string): string[] {
  return [...withoutCode(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
}

/** The fragments by which links can name the page's headings. */
export function anchorsOf(page: string): string[] {
  return [...withoutCode(page).matchAll(/^#+ (.+)$/gm)].map(([, title = '']) => title.toLowerCase().replaceAll(/[^\w\s-]/g, '').replaceAll(' ', '-'));
}

function withoutCode(page: string): string {
  return page.replaceAll(/^```.*?^```$/gms, '');
}
