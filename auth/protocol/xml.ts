import { XmlShapeSerializer } from '@aws-sdk/core/protocols';
import type { StaticStructureSchema } from '@smithy/types';
import type { OperationModel } from './model.ts';
import { writable } from './xml-characters.ts';

/** `<OpResponse><OpResult>…</OpResult><ResponseMetadata><RequestId>…`, as every Query service answers. */
export function encodeQuery(operation: OperationModel, output: unknown, namespace: string, requestId: string): Buffer {
  const metadata = { RequestId: requestId };
  const { name } = operation;
  const hasResult = operation.output !== undefined;
  let wrapper = wrappers.get(operation);
  if (wrapper === undefined) {
    wrapper = [
      3,
      '',
      `${name}Response`,
      0,
      hasResult ? [`${name}Result`, 'ResponseMetadata'] : ['ResponseMetadata'],
      hasResult ? [operation.outputSchema, () => METADATA] : [() => METADATA],
    ];
    wrappers.set(operation, wrapper);
  }
  const serializer = new XmlShapeSerializer({
    timestampFormat: { useTrait: true, default: 5 },
    httpBindings: false,
    xmlNamespace: namespace,
    serviceNamespace: '',
  });
  // The result element is there even when it is empty: botocore looks it up by name.
  serializer.write(
    wrapper,
    hasResult ? { [`${name}Result`]: output, ResponseMetadata: metadata } : { ResponseMetadata: metadata },
  );
  return Buffer.from(serializer.flush());
}

/** `<OpResponse><requestId>…</requestId>…`, as EC2 answers. */
export function encodeEc2(operation: OperationModel, output: unknown, namespace: string, requestId: string): Buffer {
  let wrapper = ec2Wrappers.get(operation);
  if (wrapper === undefined) {
    const schema = operation.output?.getSchema() as StaticStructureSchema | undefined;
    wrapper = [
      3,
      '',
      `${operation.name}Response`,
      0,
      ['requestId', ...(schema?.[4] ?? [])],
      [0, ...(schema?.[5] ?? [])],
    ];
    ec2Wrappers.set(operation, wrapper);
  }
  const serializer = new XmlShapeSerializer({
    timestampFormat: { useTrait: true, default: 5 },
    httpBindings: false,
    xmlNamespace: namespace,
    serviceNamespace: '',
  });
  serializer.write(wrapper, { ...(output as object), requestId });
  return Buffer.from(serializer.flush());
}

const ec2Wrappers = new WeakMap<OperationModel, StaticStructureSchema>();

const METADATA: StaticStructureSchema = [3, '', 'ResponseMetadata', 0, ['RequestId'], [0]];
const wrappers = new WeakMap<OperationModel, StaticStructureSchema>();

/** The error document of the Query protocol; `fault` tells clients whether to try again. */
export function encodeQueryError(
  error: { readonly code: string; readonly message: string; readonly fault: 'Sender' | 'Receiver' },
  namespace: string,
  requestId: string,
): Buffer {
  return Buffer.from(
    `<ErrorResponse xmlns="${escape(namespace)}"><Error><Type>${error.fault}</Type><Code>${escape(error.code)}</Code>` +
      `<Message>${escape(error.message)}</Message></Error><RequestId>${escape(requestId)}</RequestId></ErrorResponse>`,
  );
}

/** An error as EC2 words it; its clients read no other form. */
export function encodeEc2Error(error: { readonly code: string; readonly message: string }, requestId: string): Buffer {
  return Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>${escape(error.code)}</Code>` +
      `<Message>${escape(error.message)}</Message></Error></Errors><RequestID>${escape(requestId)}</RequestID></Response>`,
  );
}

const escape = (text: string): string =>
  writable(text).replace(/[&<>"'\r\n]/g, (character) => entities[character] ?? character);

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\r': '&#xD;',
  '\n': '&#xA;',
};
