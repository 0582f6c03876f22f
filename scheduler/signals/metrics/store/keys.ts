import { definePartition, type OwnedRows } from '@slipway/storage/records';

const metrics = definePartition('metrics/<account>', 'the metrics of one account, and its dashboards');
export const metricsPartition = metrics.name;

const digits = (value: number, count: number): string => String(value).padStart(count, '0');

/** Ids are hexadecimal. */
export const metricKeys = {
  series: 'series/',
  /** Series of one metric lie side by side. @param id or its beginning */
  seriesOf: (id: string): string => `series/${id}`,
  count: 'count',
  chunks: 'chunk/',
  chunk: (time: number, writer: number, count: number, part: number): string =>
    `chunk/${digits(time, 14)}/${digits(writer, 15)}/${digits(count, 10)}/${digits(part, 6)}`,
  segments: 'segment/',
  segmentsOf: (resolution: number, span: number): string => `segment/${digits(resolution, 4)}/${digits(span, 8)}/`,
  segmentsAt: (resolution: number): string => `segment/${digits(resolution, 4)}/`,
  segment: (resolution: number, span: number, id: string): string =>
    `segment/${digits(resolution, 4)}/${digits(span, 8)}/${id}`,
  /** Written with every change of what files there are, for readers that look at them one after the other. */
  files: 'files',
  /** Blobs that no record names any more; they go when those who began to read them have ended. */
  garbage: 'garbage/',
  garbageOf: (generation: string): string => `garbage/${generation}`,
  /** Names of samples that were taken, with the time when. */
  names: 'once/',
  name: (of: string): string => `once/${of}`,
  dashboards: 'dashboard/',
  dashboard: (name: string): string => `dashboard/${name}`,
  /** The lease of whoever compacts. */
  keeper: 'keeper',
} as const;

/** The resolution and the span that the key of a segment names. */
export function placeOfSegment(key: string): { readonly resolution: number; readonly span: number } {
  const [, resolution, span] = key.split('/');
  return { resolution: Number(resolution), span: Number(span) };
}

export const metricRows: OwnedRows = {
  partition: metrics,
  owner: 'scheduler/signals/metrics/store',
  keys: [
    metricKeys.series,
    metricKeys.count,
    metricKeys.chunks,
    metricKeys.segments,
    metricKeys.files,
    metricKeys.garbage,
    metricKeys.names,
    metricKeys.dashboards,
  ],
};
