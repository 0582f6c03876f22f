const amounts = ['Bytes', 'Bits'].flatMap((what) => [
  what,
  ...['Kilo', 'Mega', 'Giga', 'Tera'].map((factor) => `${factor}${what.toLowerCase()}`),
]);

/** CloudWatch's units; a unit's place among them is what is stored, so none may ever go or come in between. */
export const units: readonly string[] = [
  'None',
  'Seconds',
  'Microseconds',
  'Milliseconds',
  'Percent',
  'Count',
  'Count/Second',
  ...amounts,
  ...amounts.map((amount) => `${amount}/Second`),
];

const codes = new Map(units.map((unit, code) => [unit, code]));

/** The place of a unit; undefined for what is none. */
export const unitCode = (unit: string): number | undefined => codes.get(unit);
