import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { isSignedFor } from './signed-object.ts';

const says = (url: string, authorization?: string): boolean =>
  isSignedFor({ headers: authorization === undefined ? {} : { authorization } } as IncomingMessage, url, 's3');
const credential = 'X-Amz-Credential=AKIA%2F20260101%2Fus-east-1%2Fs3%2Faws4_request';

test('a request says by its header, or by its query, what it is signed for', () => {
  expect(says('/b/k', 'AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/s3/aws4_request, …')).toBe(true);
  expect(says('/b/k', 'AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/ecs/aws4_request, …')).toBe(false);
  expect(says('/b/k', 'Basic /s3/aws4_request')).toBe(false);
  expect(says(`/b/k?${credential}&X-Amz-Date=x`)).toBe(true);
  expect(says(`/b/k?a=1&${credential.replaceAll('%2F', '/')}`)).toBe(true);
  expect(says(`/b/k?a=1&${credential.replace('s3', 'ecs')}&b=/s3/aws4_request`)).toBe(false);
  expect(says(`/b/${credential}`)).toBe(false);
});

test('a query that begins the name again and again is read once', () => {
  expect(says(`/b?${'?X-Amz-Credential='.repeat(50_000)}`)).toBe(false);
  expect(says(`/b?${'?X-Amz-Credential='.repeat(50_000)}&${credential}`)).toBe(true);
});
