import type { WireProtocol } from '../contract/index.ts';
import { cborCodec } from './cbor-codec.ts';
import { jsonCodec } from './json-codec.ts';
import { ec2Codec, queryCodec } from './query-codec.ts';
import { restCodec } from './rest-codec.ts';
import type { Codec } from './wire.ts';

/** The codec of a protocol; codecs have no state, so ask as often as you like. */
export function codecFor(protocol: WireProtocol): Codec {
  switch (protocol.kind) {
    case 'aws-json':
      return jsonCodec(`application/x-amz-json-${protocol.version}`);
    case 'aws-query':
      return queryCodec(protocol.xmlNamespace);
    case 'ec2-query':
      return ec2Codec(protocol.xmlNamespace);
    case 'rest-json':
      return restCodec;
    case 'rpc-v2-cbor':
      return cborCodec;
  }
}
