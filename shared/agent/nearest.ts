// Finds the word that was probably meant.

/** The nearest of the known words; null when none is near enough to be a misspelling. @param mostLetters how many may differ, whatever its length */
export function nearest(word: string, known: readonly string[], mostLetters = Number.POSITIVE_INFINITY): string | null {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  const measured = known.map((candidate) => ({ candidate, distance: distanceOf(plain(word), plain(candidate)) }));
  const best = measured.sort((a, b) => a.distance - b.distance)[0];
  return best !== undefined && best.distance <= Math.min(mostLetters, Math.max(1, Math.floor(word.length / 3))) ? best.candidate : null;
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
