/** Reasons of the placement core that ECS words as a sentence; the others (`RESOURCE:MEMORY`, `AGENT`, `ATTRIBUTE`) are codes. */
const sentences: Readonly<Record<string, string>> = {
  MEMBEROF: 'MemberOf placement constraint unsatisfied.',
  DISTINCTINSTANCE: 'DistinctInstance placement constraint unsatisfied.',
};

/** The `reason` of an entry in `failures`, as ECS writes it. */
export const failureReason = (code: string): string => sentences[code] ?? code;
