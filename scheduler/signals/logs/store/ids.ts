import { timeDigits } from './contract.ts';

/** Who takes events in, and how many it took: together they make an id unique. */
export const writerDigits = 12;
export const sequenceDigits = 16;

/** The id of an event; see `LogEvent`. `writer` is below 10^12. */
export function eventId(timestamp: number, ingestionTime: number, writer: number, sequence: number): string {
  return (
    String(timestamp).padStart(timeDigits, '0') +
    String(ingestionTime).padStart(timeDigits, '0') +
    String(writer).padStart(writerDigits, '0') +
    String(sequence).padStart(sequenceDigits, '0')
  );
}

export function timestampOf(id: string): number {
  return Number(id.slice(0, timeDigits));
}
