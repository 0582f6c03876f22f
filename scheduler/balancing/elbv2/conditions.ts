import { parseCidr } from '../../network/addresses/index.ts';
import type { ConditionRecord } from '../records/index.ts';

import { unsupported, validation } from './errors.ts';
import { mostConditionValues, mostValuesOfRule, mostWildcardsOfRule } from './quotas.ts';
import type { Condition } from './shapes.ts';

type Field = ConditionRecord['field'];

/** What each field's values may be; `*` and `?` are wildcards where they are allowed. */
const shapes: Readonly<Record<string, { readonly pattern: RegExp; readonly most: number; readonly what: string }>> = {
  'host-header': { pattern: /^[a-zA-Z0-9.*?-]+$/, most: 128, what: 'a host name' },
  'path-pattern': { pattern: /^[a-zA-Z0-9_\-.$/~"'@:+&*?]+$/, most: 128, what: 'a path' },
  'http-header': { pattern: /^[\x20-\x7e]+$/, most: 128, what: 'the value of a header' },
  'http-request-method': { pattern: /^[A-Z_-]+$/, most: 40, what: 'a method in capitals' },
  'query-string': { pattern: /^[\x20-\x7e]+$/, most: 128, what: 'a part of a query' },
};
/** One of each at most in a rule (ELB user guide, "Condition types for listener rules"). */
const single = new Set<Field>(['host-header', 'path-pattern', 'http-request-method', 'source-ip']);
const withWildcards = new Set<Field>(['host-header', 'path-pattern', 'http-header', 'query-string']);

/** Where a field's values are in a request. */
const members: Readonly<Record<Field, keyof Condition>> = {
  'host-header': 'HostHeaderConfig',
  'path-pattern': 'PathPatternConfig',
  'http-header': 'HttpHeaderConfig',
  'http-request-method': 'HttpRequestMethodConfig',
  'query-string': 'QueryStringConfig',
  'source-ip': 'SourceIpConfig',
};

/**
 * The conditions of a rule.
 * @param checkPattern what is wrong with a regular expression, if anything. @throws ValidationError
 */
export function conditionsFor(
  given: readonly Condition[],
  checkPattern: (pattern: string) => string | undefined,
): readonly ConditionRecord[] {
  if (given.length === 0) throw validation('A condition must be specified');
  const conditions = given.map((one) => parse(one, checkPattern));
  for (const field of single)
    if (conditions.filter((one) => one.field === field).length > 1)
      throw validation(`A rule can only have one '${field}' condition`);
  const values = conditions.flatMap(valuesOf);
  if (values.length > mostValuesOfRule) throw validation(`A rule can only have '${mostValuesOfRule}' condition values`);
  const wildcards = conditions
    .filter(({ field }) => withWildcards.has(field))
    .flatMap(plainValuesOf)
    .reduce((sum, value) => sum + (value.match(/[*?]/g)?.length ?? 0), 0);
  if (wildcards > mostWildcardsOfRule)
    throw validation(`A rule can only have '${mostWildcardsOfRule}' condition wildcards`);
  return conditions;
}

function parse(given: Condition, checkPattern: (pattern: string) => string | undefined): ConditionRecord {
  const { Field: field = '' } = given;
  const member = Object.hasOwn(members, field) ? members[field as Field] : undefined;
  if (member === undefined)
    throw validation(`Condition field '${field.slice(0, 64)}' must be one of '[${Object.keys(members).join(', ')}]'`);
  for (const other of Object.values(members))
    if (other !== member && given[other] !== undefined)
      throw validation(`${other} cannot be specified for a condition of field '${field}'`);
  const condition = read(field as Field, given);
  checkCount(condition);
  for (const value of plainValuesOf(condition)) checkValue(condition.field, value);
  for (const pattern of regexValuesOf(condition)) {
    if (pattern.length > 128) throw validation('A regular expression can have up to 128 characters');
    const problem = checkPattern(pattern);
    if (problem !== undefined) throw validation(`The regular expression '${pattern}' is not valid: ${problem}`);
  }
  return condition;
}

function read(field: Field, given: Condition): ConditionRecord {
  const { Values: plain = [], RegexValues: plainRegex = [] } = given;
  const isOld = field === 'host-header' || field === 'path-pattern';
  if (!isOld && plain.length > 0)
    throw validation(`Values can only be specified for 'host-header' and 'path-pattern'; use ${members[field]}`);
  switch (field) {
    case 'host-header':
    case 'path-pattern': {
      const config = field === 'host-header' ? given.HostHeaderConfig : given.PathPatternConfig;
      const values = config?.Values ?? [];
      // Terraform reads both and may send both.
      if (plain.length > 0 && values.length > 0 && JSON.stringify(plain) !== JSON.stringify(values))
        throw validation(`Values and ${members[field]} cannot both be specified`);
      const regexValues = config?.RegexValues ?? [];
      return {
        field,
        values: values.length > 0 ? values : plain,
        regexValues: regexValues.length > 0 ? regexValues : plainRegex,
      };
    }
    case 'http-header': {
      const {
        HttpHeaderName: name = '',
        Values: values = [],
        RegexValues: regexValues = [],
      } = given.HttpHeaderConfig ?? {};
      // RFC 9110, section 5.1: a field name is a token.
      if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,40}$/.test(name))
        throw validation(`'${name.slice(0, 100)}' is not the name of a header`);
      if (name.toLowerCase() === 'host') throw validation("Use a 'host-header' condition for the header host");
      return { field, name, values, regexValues };
    }
    case 'http-request-method':
      return { field, values: given.HttpRequestMethodConfig?.Values ?? [] };
    case 'source-ip':
      return { field, values: given.SourceIpConfig?.Values ?? [] };
    case 'query-string':
      return {
        field,
        pairs: (given.QueryStringConfig?.Values ?? []).map(({ Key: key, Value: value = '' }) => ({
          ...(key === undefined || key === '' ? {} : { key }),
          value,
        })),
      };
  }
}

function checkCount(condition: ConditionRecord): void {
  const { field } = condition;
  const count = valuesOf(condition).length;
  if (count === 0) throw validation(`A condition value must be specified for '${field}'`);
  if (count > mostConditionValues)
    throw validation(`A '${field}' condition can only have '${mostConditionValues}' values`);
  if ('regexValues' in condition && condition.values.length > 0 && condition.regexValues.length > 0)
    throw validation(`A '${field}' condition has either values or regular expressions`);
}

function checkValue(field: Field, value: string): void {
  if (field === 'source-ip') return checkRange(value);
  const { pattern, most, what } = shapes[field] as (typeof shapes)[string];
  if (value.length > most || !pattern.test(value))
    throw validation(`The condition value '${value.slice(0, 200)}' is not ${what} of up to ${most} characters`);
  if (field === 'host-header' && !value.includes('.'))
    throw validation(`The condition value '${value}' must contain a '.'`);
}

function checkRange(value: string): void {
  if (value.includes(':'))
    throw unsupported(`The IPv6 range ${value.slice(0, 50)}`, 'Load balancers have IPv4 addresses.');
  if (parseCidr(value) === undefined)
    throw validation(`The condition value '${value.slice(0, 200)}' is not a CIDR block`);
  if (value === '255.255.255.255/32') throw validation(`The condition value '${value}' is not an address of a client`);
}

/** Everything of a condition that counts as a value. */
const valuesOf = (condition: ConditionRecord): readonly unknown[] =>
  condition.field === 'query-string'
    ? condition.pairs
    : [...condition.values, ...('regexValues' in condition ? condition.regexValues : [])];

const plainValuesOf = (condition: ConditionRecord): readonly string[] =>
  condition.field === 'query-string'
    ? condition.pairs.flatMap(({ key, value }) => (key === undefined ? [value] : [key, value]))
    : condition.values;

const regexValuesOf = (condition: ConditionRecord): readonly string[] =>
  'regexValues' in condition ? condition.regexValues : [];

/** A condition as ELB shows it: of hosts and paths with `Values` too. */
export function viewCondition(condition: ConditionRecord): Condition {
  const regex = regexValuesOf(condition);
  const both = { Values: [...plainValuesOf(condition)], ...(regex.length === 0 ? {} : { RegexValues: regex }) };
  const given = regex.length > 0 ? { RegexValues: regex } : { Values: both.Values };
  switch (condition.field) {
    case 'host-header':
      return { Field: condition.field, ...given, HostHeaderConfig: given };
    case 'path-pattern':
      return { Field: condition.field, ...given, PathPatternConfig: given };
    case 'http-header':
      return { Field: condition.field, HttpHeaderConfig: { HttpHeaderName: condition.name, ...given } };
    case 'http-request-method':
      return { Field: condition.field, HttpRequestMethodConfig: { Values: condition.values } };
    case 'source-ip':
      return { Field: condition.field, SourceIpConfig: { Values: condition.values } };
    case 'query-string':
      return {
        Field: condition.field,
        QueryStringConfig: {
          Values: condition.pairs.map(({ key, value }) => ({
            ...(key === undefined ? {} : { Key: key }),
            Value: value,
          })),
        },
      };
  }
}
