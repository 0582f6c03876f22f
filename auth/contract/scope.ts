/** What a docker client asks for or a token allows: `repository:team/web:pull,push`. */
export interface Scope {
  readonly type: 'repository' | 'registry';
  readonly name: string;
  readonly actions: readonly string[];
}
