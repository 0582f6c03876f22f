import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { logLimits } from '../../wire/index.ts';
import { engineMissing, TestEngine } from '../../testing/test-engine.ts';
import { dockerLogs } from './engine.ts';
import { shippedTask, ShippingBench, until } from './testing/shipped-task.ts';

const missing = await engineMissing();

/** The logs of a real engine, as the agent reads them. Under CI a missing engine is a failure: the first hook throws. */
describe.skipIf(missing !== undefined && !process.env['CI'])(
  'the logs of a Docker engine',
  { timeout: 180_000 },
  () => {
    let engine: TestEngine;
    let made = 0;

    beforeAll(async () => {
      engine = await TestEngine.open();
    });
    afterAll(() => engine?.[Symbol.asyncDispose](), 60_000);

    /** What a script's output comes to, with an agent that is killed in between. */
    async function messagesOf(script: string, lines: number, terminal = false): Promise<string[]> {
      const container = await engine.docker.createContainer({
        Image: engine.image,
        Entrypoint: ['/bin/busybox', 'sh', '-c'],
        Cmd: [script],
        Tty: terminal,
        HostConfig: { LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '5' } } },
      });
      await using bench = new ShippingBench(dockerLogs(engine.docker));
      const task = shippedTask([container.id], {}, `engine-${made++}`);
      await container.start();
      bench.agent.follow(task, task.container(container.id), true);
      bench.server.connect(bench.agent);
      await until(() => bench.server.of(task.arn, container.id).length >= lines / 3, 'a third of it');
      bench.kill(task);
      bench.server.connect(bench.agent);
      await container.wait();
      bench.agent.over(task.arn);
      await until(() => bench.agent.mayRemove(task.arn, 0), 'all of it');
      expect([bench.server.dropped, bench.server.gaps]).toEqual([0, 0]);
      return bench.server.of(task.arn, container.id);
    }

    test('are lines of both outputs, once each', async () => {
      const script = 'i=0; while [ $i -lt 900 ]; do echo "out $i"; echo "err $i" >&2; i=$((i+1)); done';
      const messages = await messagesOf(script, 1800);
      const numbered = (mark: string): string[] => Array.from({ length: 900 }, (_, place) => `${mark} ${place}`);
      for (const mark of ['out', 'err'])
        expect(messages.filter((text) => text.startsWith(mark))).toEqual(numbered(mark));
    });

    test('are lines of a terminal, long ones as well', async () => {
      const long = 'busybox yes | busybox tr "\\n" x | busybox head -c 40000';
      const messages = await messagesOf(
        `i=0; while [ $i -lt 30 ]; do ${long}; echo; echo "$i"; i=$((i+1)); done`,
        60,
        true,
      );
      // A terminal ends its lines with a carriage return as well.
      const texts = messages.map((text) => text.replace(/\r$/, ''));
      expect(texts.filter((text) => text.length === 40_000).length).toBe(30);
      expect(texts.filter((text) => text.length < 40_000)).toEqual(
        Array.from({ length: 30 }, (_, place) => `${place}`),
      );
    });

    test('are cut where a line has no end, whatever it consists of', async () => {
      const bytes = 6_000_000;
      const messages = await messagesOf(`busybox head -c ${bytes} /dev/zero; sleep 1; echo; echo end`, 23);
      expect(messages.at(-1)).toBe('end');
      expect(messages.slice(0, -1).join('')).toBe('\0'.repeat(bytes));
      expect(Math.max(...messages.map(({ length }) => length))).toBe(logLimits.messageBytes);
    });
  },
);
