/** Alarms that do not exist. */
export class AlarmMissing extends Error {
  override readonly name = 'AlarmMissing';
  readonly names: readonly string[];

  constructor(names: readonly string[]) {
    super(`there are no alarms ${names.join(', ')}`);
    this.names = names;
  }
}

/** A metric alarm cannot become a composite one, nor the other way round. */
export class AlarmOfOtherKind extends Error {
  override readonly name = 'AlarmOfOtherKind';
  readonly alarm: string;

  constructor(alarm: string) {
    super(`alarm ${alarm} is of the other kind`);
    this.alarm = alarm;
  }
}

/** A rule would make an alarm depend on itself. */
export class RuleGoesRound extends Error {
  override readonly name = 'RuleGoesRound';
  readonly way: readonly string[];

  constructor(way: readonly string[]) {
    super(`the rule makes the alarm depend on itself: ${way.join(' -> ')}`);
    this.way = way;
  }
}

/** An alarm that is to go is named by the rule of one that stays. */
export class AlarmInRule extends Error {
  override readonly name = 'AlarmInRule';
  readonly alarm: string;
  readonly parent: string;

  constructor(alarm: string, parent: string) {
    super(`alarm ${alarm} is named by the rule of ${parent}`);
    this.alarm = alarm;
    this.parent = parent;
  }
}

/** The account has as many alarms as it may. */
export class TooManyAlarms extends Error {
  override readonly name = 'TooManyAlarms';

  constructor(most: number) {
    super(`an account may have ${most} alarms`);
  }
}
