// Reads CSV as RFC 4180 has it; an empty field without quotes is null.

export function parseCsv(text: string): (string | null)[][] {
  const records: (string | null)[][] = [];
  let record: (string | null)[] = [];
  let place = 0;
  while (place < text.length) {
    if (text[place] === '"') {
      let field = '';
      for (place += 1; ; place += 2) {
        const quote = text.indexOf('"', place);
        if (quote === -1) throw new Error('a quoted field does not end');
        field += text.slice(place, quote);
        place = quote;
        if (text[quote + 1] !== '"') break;
        field += '"';
      }
      record.push(field);
      place += 1;
    } else {
      const end = place + text.slice(place).search(/,|\r\n/);
      const field = text.slice(place, end);
      if (/["\r\n]/.test(field)) throw new Error(`a field without quotes has ${JSON.stringify(field)}`);
      record.push(field === '' ? null : field);
      place = end;
    }
    if (text[place] === ',') {
      place += 1;
      continue;
    }
    if (text.slice(place, place + 2) !== '\r\n') throw new Error(`no end of a line at ${place}`);
    records.push(record);
    record = [];
    place += 2;
  }
  return records;
}
