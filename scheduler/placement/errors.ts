/** Every error the placement core throws, with what it means for the caller. */
export const placementErrorCodes = {
  /** An expression of the cluster query language does not parse; `ClusterQueryError` carries the position. */
  INVALID_EXPRESSION: 'InvalidParameterException',
  /** A request, an instance or a task has a value outside its range. */
  INVALID_INPUT: 'InvalidParameterException',
  /** A strategy or constraint that neither the core nor a loaded plug-in offers. */
  UNKNOWN_TYPE: 'InvalidParameterException',
  /** A plug-in that cannot be loaded, or that does not offer what the interfaces ask. */
  INVALID_PLUGIN: 'ServerException',
} as const;

/** A refusal of the placement core. `wire` is the ECS exception the caller answers with. */
export class PlacementError extends Error {
  override readonly name: string = 'PlacementError';
  readonly code: keyof typeof placementErrorCodes;

  constructor(code: keyof typeof placementErrorCodes, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  get wire(): string {
    return placementErrorCodes[this.code];
  }
}

/** An expression that does not parse. `position` is the offset of the first character that is wrong, from 0. */
export class ClusterQueryError extends PlacementError {
  override readonly name = 'ClusterQueryError';
  readonly expression: string;
  readonly position: number;

  constructor(expression: string, position: number, problem: string) {
    super('INVALID_EXPRESSION', `${problem}, at character ${position + 1} of "${expression}"`);
    this.expression = expression;
    this.position = position;
  }

  /** The expression with a caret under the character, for a terminal. */
  get pointer(): string {
    return `${this.expression}\n${' '.repeat(this.position)}^`;
  }
}
