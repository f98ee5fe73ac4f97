// Finds the word that was probably meant.

/** Of one that is longer, so much is compared. */
const MAX_NAME_LENGTH = 256;

/** The nearest of the known words; null when none is near enough to be a misspelling. @param mostLetters how many may differ, whatever its length */
export function nearest(word: string, known: readonly string[], mostLetters = Number.POSITIVE_INFINITY): string | null {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  const measured = known.map((candidate) => ({ candidate, distance: distanceOf(plain(word), plain(candidate)) }));
  const best = measured.sort((a, b) => a.distance - b.distance)[0];
  return best !== undefined && best.distance <= Math.min(mostLetters, Math.max(1, Math.floor(word.length / 3))) ? best.candidate : null;
}

/** What is said of a name that there is not, by what it is, such as `field`. @param known those that there are */
export function unknownText(what: string, name: string, known: readonly string[]): string {
  if (known.length === 0) return `unknown ${what}; there are none`;
  const meant = nearest(name.slice(0, MAX_NAME_LENGTH), known);
  return `unknown ${what}; ${meant === null ? `known are ${known.join(', ')}` : `did you mean ${meant}?`}`;
}

/** Optimal string alignment: insertions, deletions, changes, and neighbours that changed places, one row of the table at a time. */
function distanceOf(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const changed = at(row, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? at(before, j - 2) + 1 : Number.POSITIVE_INFINITY;
      next.push(Math.min(changed, swapped, at(row, j) + 1, at(next, j - 1) + 1));
    }
    before = row;
    row = next;
  }
  return at(row, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}
