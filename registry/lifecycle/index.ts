export { evaluate, type LifecycleImage, type Verdict } from './evaluate.ts';
export { type LifecycleRule, parseLifecyclePolicy, type Selection, type StorageClass } from './policy.ts';
export { findPreview, makePreview, type Preview, previewPart, type PreviewResult } from './preview.ts';
export { lifecycleActor, type LifecycleOptions, type LifecycleReport, runLifecycle } from './run-lifecycle.ts';
