/** One thing that `slipway doctor` looked at. */
export interface Finding {
  readonly what: string;
  readonly state: 'ok' | 'warning' | 'problem';
  readonly detail: string;
}

export const ok = (what: string, detail: string): Finding => ({ what, state: 'ok', detail });
export const warning = (what: string, detail: string): Finding => ({ what, state: 'warning', detail });
export const problem = (what: string, detail: string): Finding => ({ what, state: 'problem', detail });
