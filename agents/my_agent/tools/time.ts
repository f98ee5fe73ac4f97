// Tells the time in any time zone.

export const current_time = {
  description: 'The current date and time in a time zone.',
  parameters: {
    type: 'object',
    properties: {
      zone: { type: 'string', description: 'IANA name of the time zone, such as Europe/Berlin. UTC if left out.' },
    },
    additionalProperties: false,
    examples: [{ zone: 'Europe/Berlin' }],
  },
  execute({ zone = 'UTC' }: { zone?: string }) {
    const now = new Date();
    return { zone, local: formatterFor(zone).format(now), utc: now.toISOString() };
  },
};

function formatterFor(zone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeStyle: 'long', timeZone: zone });
  } catch {
    // The model reads this, and can correct itself.
    throw new Error(`${zone} is not the IANA name of a time zone; expected one such as Europe/Berlin.`);
  }
}
