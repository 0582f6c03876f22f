/** Shapes of ELB's API (2015-12-01), written by hand as EC2's are: the SDK's own module takes 13 MiB of memory. */
import { refused, type Shape, type ShapeValue, shapesOf, simpleShapes } from '@slipway/auth/kit';

export { refused, required, type Shape } from '@slipway/auth/kit';
export type Of<S> = ShapeValue<S>;

export const { text, number, flag, time } = simpleShapes;
export const { list, struct, operationSchema } = shapesOf({ namespace: 'com.amazonaws.elbv2' });

/** An answer without members. */
export const nothing: Shape<object> = struct('Unit', {});
export const texts: Shape<readonly string[]> = list(text);

export const tag = struct('Tag', { Key: text, Value: text });
export const tags = list(tag);
export type TagList = Of<typeof tags>;

export const attributes = list(struct('Attribute', { Key: text, Value: text }));

/** Members of every request for a page of a list. */
export const paged = { Marker: text, PageSize: number } as const;

const noSignIn = 'There are no sign-ins and tokens at load balancers: let the service behind it ask for them.';

export const action = struct('Action', {
  Type: text,
  TargetGroupArn: text,
  Order: number,
  RedirectConfig: struct('RedirectActionConfig', {
    Protocol: text,
    Port: text,
    Host: text,
    Path: text,
    Query: text,
    StatusCode: text,
  }),
  FixedResponseConfig: struct('FixedResponseActionConfig', { MessageBody: text, StatusCode: text, ContentType: text }),
  ForwardConfig: struct('ForwardActionConfig', {
    TargetGroups: list(struct('TargetGroupTuple', { TargetGroupArn: text, Weight: number })),
    TargetGroupStickinessConfig: struct('TargetGroupStickinessConfig', { Enabled: flag, DurationSeconds: number }),
  }),
  AuthenticateOidcConfig: refused(
    struct('AuthenticateOidcActionConfig', {
      Issuer: text,
      AuthorizationEndpoint: text,
      TokenEndpoint: text,
      UserInfoEndpoint: text,
      ClientId: text,
      ClientSecret: text,
    }),
    noSignIn,
  ),
  AuthenticateCognitoConfig: refused(
    struct('AuthenticateCognitoActionConfig', { UserPoolArn: text, UserPoolClientId: text, UserPoolDomain: text }),
    noSignIn,
  ),
  JwtValidationConfig: refused(struct('JwtValidationActionConfig', { JwksEndpoint: text, Issuer: text }), noSignIn),
});
export const actions = list(action);
export type Action = Of<typeof action>;

const valuesAnd = (name: string) => struct(name, { Values: texts, RegexValues: texts });
export const condition = struct('RuleCondition', {
  Field: text,
  Values: texts,
  RegexValues: texts,
  HostHeaderConfig: valuesAnd('HostHeaderConditionConfig'),
  PathPatternConfig: valuesAnd('PathPatternConditionConfig'),
  HttpHeaderConfig: struct('HttpHeaderConditionConfig', { HttpHeaderName: text, Values: texts, RegexValues: texts }),
  QueryStringConfig: struct('QueryStringConditionConfig', {
    Values: list(struct('QueryStringKeyValuePair', { Key: text, Value: text })),
  }),
  HttpRequestMethodConfig: struct('HttpRequestMethodConditionConfig', { Values: texts }),
  SourceIpConfig: struct('SourceIpConditionConfig', { Values: texts }),
});
export type Condition = Of<typeof condition>;

export const certificates = list(struct('Certificate', { CertificateArn: text, IsDefault: flag }));
