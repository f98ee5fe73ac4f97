// Calculates arithmetic expressions with a small parser of its own: what a model writes is never run as code.

export const calculate = {
  description:
    'The value of an arithmetic expression with + - * / % ^, parentheses, pi, e, and sqrt, abs, round, floor, ceil, ln, log10, sin, cos, tan.',
  parameters: {
    type: 'object',
    properties: {
      expression: { type: 'string', maxLength: 500, description: 'Such as (1 + 2) * 3.5 or sqrt(2) ^ 2.' },
    },
    required: ['expression'],
    additionalProperties: false,
    examples: [{ expression: '(1 + 2) * 3.5' }],
  },
  execute({ expression }: { expression: string }) {
    const value = valueOf(expression);
    if (!Number.isFinite(value)) throw new Error(`${expression} has no finite value.`);
    // Fifteen digits are what a double holds: 0.1 + 0.2 is 0.3 again.
    return { expression, value: Number(value.toPrecision(15)) };
  },
};

const CONSTANTS = new Map([['pi', Math.PI], ['e', Math.E]]);

const FUNCTIONS = new Map<string, (x: number) => number>([
  ['sqrt', Math.sqrt], ['abs', Math.abs], ['round', Math.round], ['floor', Math.floor], ['ceil', Math.ceil],
  ['ln', Math.log], ['log10', Math.log10], ['sin', Math.sin], ['cos', Math.cos], ['tan', Math.tan],
]);

/** Recursive descent, one function per level of precedence: sum, product, sign, power, atom. */
function valueOf(expression: string): number {
  const tokens = expression.match(/\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|[a-zA-Z]\w*|\*\*|\S/g) ?? [];
  let at = 0;
  const take = (...wanted: string[]): string | null => {
    const token = tokens[at];
    if (token === undefined || !wanted.includes(token)) return null;
    at += 1;
    return token;
  };
  const unexpected = (): Error => {
    return new Error(tokens[at] === undefined ? 'The expression ends too early.' : `Unexpected ${tokens[at]} in the expression.`);
  };

  const sum = (): number => {
    let value = product();
    for (let sign = take('+', '-'); sign !== null; sign = take('+', '-')) value = sign === '+' ? value + product() : value - product();
    return value;
  };
  const product = (): number => {
    let value = signed();
    for (let sign = take('*', '/', '%'); sign !== null; sign = take('*', '/', '%')) {
      const right = signed();
      value = sign === '*' ? value * right : sign === '/' ? value / right : value % right;
    }
    return value;
  };
  const signed = (): number => {
    const sign = take('-', '+');
    if (sign === null) return power();
    return sign === '-' ? -signed() : signed();
  };
  const power = (): number => {
    const base = atom();
    return take('^', '**') === null ? base : base ** signed();
  };
  const atom = (): number => {
    if (take('(') !== null) return closed(sum());
    const token = tokens[at];
    if (token === undefined) throw unexpected();
    const constant = CONSTANTS.get(token) ?? (/^[\d.]/.test(token) ? Number(token) : undefined);
    const apply = FUNCTIONS.get(token);
    if (constant === undefined && apply === undefined) throw unexpected();
    at += 1;
    if (apply === undefined) return constant ?? Number.NaN;
    if (take('(') === null) throw unexpected();
    return apply(closed(sum()));
  };
  const closed = (value: number): number => {
    if (take(')') === null) throw unexpected();
    return value;
  };

  const value = sum();
  if (at < tokens.length) throw unexpected();
  return value;
}
