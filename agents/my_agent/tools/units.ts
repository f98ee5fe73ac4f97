// Converts between units of one dimension.

type Dimension = Readonly<Record<string, { readonly factor: number; readonly offset?: number }>>;

/** Each unit by its factor, and offset, to the dimension's first unit. */
const DIMENSIONS: readonly Dimension[] = [
  scales({ m: 1, mm: 0.001, cm: 0.01, km: 1000, in: 0.0254, ft: 0.3048, yd: 0.9144, mi: 1609.344 }),
  scales({ kg: 1, mg: 1e-6, g: 0.001, t: 1000, oz: 0.028349523125, lb: 0.45359237 }),
  scales({ l: 1, ml: 0.001, m3: 1000, gal: 3.785411784, floz: 0.0295735295625 }),
  scales({ s: 1, ms: 0.001, min: 60, h: 3600, d: 86_400, week: 604_800 }),
  { K: { factor: 1 }, C: { factor: 1, offset: 273.15 }, F: { factor: 5 / 9, offset: 459.67 * (5 / 9) } },
  scales({ byte: 1, kB: 1e3, MB: 1e6, GB: 1e9, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }),
];

const UNITS = DIMENSIONS.flatMap((dimension) => Object.keys(dimension));

export const convert_unit = {
  description: 'Converts a value between units of length, mass, volume, time, temperature or digital size.',
  parameters: {
    type: 'object',
    properties: {
      value: { type: 'number' },
      from: { type: 'string', enum: UNITS },
      to: { type: 'string', enum: UNITS },
    },
    required: ['value', 'from', 'to'],
    additionalProperties: false,
    examples: [{ value: 26.2, from: 'mi', to: 'km' }],
  },
  execute({ value, from, to }: { value: number; from: string; to: string }) {
    const dimension = DIMENSIONS.find((units) => Object.hasOwn(units, from));
    const source = dimension?.[from];
    const target = dimension?.[to];
    if (source === undefined || target === undefined) throw new Error(`${from} cannot be converted to ${to}.`);
    const base = value * source.factor + (source.offset ?? 0);
    return { value: Number(((base - (target.offset ?? 0)) / target.factor).toPrecision(12)), unit: to };
  },
};

function scales(factors: Readonly<Record<string, number>>): Dimension {
  return Object.fromEntries(Object.entries(factors).map(([unit, factor]) => [unit, { factor }]));
}
