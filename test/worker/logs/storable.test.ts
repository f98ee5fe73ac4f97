// Texts that databases refuse, made such as they take.
import fc from 'fast-check';
import t from 'tap';
import { storable } from '../../../worker/logs/storable.ts';
import { recordOf } from './ship_thread.ts';

t.test('a record without such a text is the same one', async (t) => {
  const record = recordOf(1, { files: [{ name: '😀', type: 'a/b', size: 1 }] });
  t.equal(storable(record), record);
});

t.test('U+0000 and halves of surrogate pairs become U+FFFD, in members of members and in their names; what was given stays as it was', async (t) => {
  const record = recordOf(1, {
    input_message: '\uD83D \uDE00\0 😀',
    request_headers: { 'a\0': 'b', c: '\uD800' },
    files: [{ name: 'x\0y', type: 'a/b', size: 1 }, { name: 'z', type: 'a/b', size: 2 }],
  });
  const before = structuredClone(record);
  t.strictSame(storable(record), {
    ...record,
    input_message: '\uFFFD \uFFFD\uFFFD 😀',
    request_headers: { 'a\uFFFD': 'b', c: '\uFFFD' },
    files: [{ name: 'x\uFFFDy', type: 'a/b', size: 1 }, { name: 'z', type: 'a/b', size: 2 }],
  });
  t.strictSame(record, before);
});

t.test('no text is left that is refused, and no other is changed', async () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constantFrom('\0', '\uD800', '\uDFFF', '\u{1F600}'), fc.string())), (pieces) => {
      const given = pieces.join('');
      const kept = storable(recordOf(1, { output_response: given })).output_response ?? '';
      return kept.isWellFormed() && !kept.includes('\0') && kept.length === given.length && kept === given.toWellFormed().replaceAll('\0', '\uFFFD');
    }),
  );
});
