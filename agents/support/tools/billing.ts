// What billing works with. A real one would ask the shop's database; this one knows three orders.

interface Invoice {
  readonly order: number;
  readonly total_eur: number;
  readonly charges: readonly { readonly date: string; readonly amount_eur: number }[];
}

const INVOICES: readonly Invoice[] = [
  { order: 1041, total_eur: 24.5, charges: [{ date: '2026-10-02', amount_eur: 24.5 }] },
  { order: 1042, total_eur: 89, charges: [{ date: '2026-10-05', amount_eur: 89 }, { date: '2026-10-05', amount_eur: 89 }] },
  { order: 1043, total_eur: 12.9, charges: [] },
];

const order = { type: 'integer', description: 'The number of the order, such as 1042.' };

export const find_invoice = {
  description: 'The invoice of an order: its total and what was charged when.',
  parameters: { type: 'object', properties: { order }, required: ['order'], additionalProperties: false, examples: [{ order: 1042 }] },
  execute: ({ order: wanted }: { order: number }) => invoiceOf(wanted),
};

export const start_refund = {
  description: 'Starts a refund, which the customer has agreed to.',
  parameters: {
    type: 'object',
    properties: { order, amount_eur: { type: 'number', exclusiveMinimum: 0 } },
    required: ['order', 'amount_eur'],
    additionalProperties: false,
    examples: [{ order: 1042, amount_eur: 89 }],
  },
  execute({ order: wanted, amount_eur }: { order: number; amount_eur: number }) {
    const { total_eur, charges } = invoiceOf(wanted);
    const charged = charges.reduce((sum, charge) => sum + charge.amount_eur, 0);
    if (amount_eur > charged) throw new Error(`Only ${charged} EUR were charged for order ${wanted}.`);
    return { order: wanted, refund: `R-${wanted}`, amount_eur, still_paid_eur: charged - amount_eur, total_eur };
  },
};

function invoiceOf(wanted: number): Invoice {
  const invoice = INVOICES.find((each) => each.order === wanted);
  if (invoice === undefined) throw new Error(`There is no order ${wanted}. Ask the customer for the number on the invoice.`);
  return invoice;
}
