import assert from 'node:assert/strict';
import test from 'node:test';
import { createPlacementIndex, loadPlacementPlugins, type PlacementRequest } from '@slipway/scheduler/placement';

const plugins = await loadPlacementPlugins(['./index.ts'], () => import('./index.ts'));

const request: PlacementRequest = {
  group: 'service:web',
  shape: { cpu: 512, memory: 128, gpus: 0, tcpPorts: [], udpPorts: [], requires: [] },
  constraints: [{ type: 'energy:not-hotter-than', expression: '30' }],
  strategies: [{ type: 'energy:least-power' }],
  kind: 'service',
};

function indexOf(hosts: Readonly<Record<string, Readonly<Record<string, string>>>>) {
  const index = createPlacementIndex({ seed: 1, ...plugins });
  for (const [id, attributes] of Object.entries(hosts)) {
    index.upsertInstance({
      id,
      cpu: 2048,
      memory: 4096,
      gpus: 0,
      attributes: new Map(Object.entries(attributes)),
      reservedTcpPorts: [],
      reservedUdpPorts: [],
      placeable: true,
      agentConnected: true,
    });
  }
  return index;
}

void test('the host that draws the least power is chosen', () => {
  const index = indexOf({ thirsty: { 'watts-per-vcpu': '9' }, frugal: { 'watts-per-vcpu': '3.5' }, silent: {} });
  assert.deepEqual(index.place(request), { instanceId: 'frugal' });
});

void test('a host in a hot rack is ruled out, and the refusal says why', () => {
  const index = indexOf({ frugal: { 'watts-per-vcpu': '3.5', 'rack-temperature': '41' } });
  const answer = index.place(request);
  assert.ok('unplaceable' in answer);
  assert.equal(answer.unplaceable.code, 'ENERGY:NOT-HOTTER-THAN');
});

void test('a wrong expression is refused with a sentence', () => {
  const wrong = { ...request, constraints: [{ type: 'energy:not-hotter-than', expression: 'warm' }] } as const;
  assert.throws(
    () => indexOf({ any: {} }).place(wrong),
    /energy:not-hotter-than: the expression is a number of degrees/,
  );
});
