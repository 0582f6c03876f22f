import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import type { CDPSession, Page } from 'playwright-core';
import { arnOf, at, clusterOf, serviceOf } from '../console/testing/made-up.ts';
import { type Answers, StandIn } from '../console/testing/stand-in.ts';
import { missingBrowser, openBrowser } from '../testbed/browser.ts';
import { median, quantile, render, type Row, type Section, short, writeSection } from './results.ts';

/**
 * `npm run bench:console [-- --rounds 3] [--json FILE]`: how long the console's pages take to react with 1,000 services and 10,000 tasks, in
 * Chromium: what a key, a click and a change cost the page's own thread, and until what was done is seen.
 */
const { values: options } = parseArgs({
  options: { rounds: { type: 'string', default: '3' }, json: { type: 'string' } },
});
const rounds = Number(options.rounds);
const missing = missingBrowser();
if (missing !== undefined) throw new Error(`the console cannot be measured here: ${missing}`);

const [manyServices, tasksOfEach, manyHosts] = [1000, 10, 100] as const;
const services = Array.from({ length: manyServices }, (_, i) =>
  serviceOf(`service-${String(i).padStart(4, '0')}`, tasksOfEach),
);
const hosts = Array.from({ length: manyHosts }, (_, i) => ({
  containerInstanceArn: arnOf('container-instance', 'default', String(i).padStart(32, '0')),
  ec2InstanceId: `i-${i}`,
  status: 'ACTIVE',
  agentConnected: true,
  registeredAt: at,
  registeredResources: ['CPU', 'MEMORY'].map((name) => ({ name, integerValue: 131_072 })),
  remainingResources: ['CPU', 'MEMORY'].map((name) => ({ name, integerValue: 8192 })),
}));
const taskArns = Array.from({ length: manyServices * tasksOfEach }, (_, i) =>
  arnOf('task', 'default', String(i).padStart(32, '0')),
);
const taskOf = (taskArn: string): object => {
  const i = Number(taskArn.split('/').at(-1));
  return {
    taskArn,
    taskDefinitionArn: arnOf('task-definition', 'service:1'),
    containerInstanceArn: hosts[i % manyHosts]?.containerInstanceArn,
    group: `service:service-${String(i % manyServices).padStart(4, '0')}`,
    lastStatus: 'RUNNING',
    healthStatus: 'HEALTHY',
    cpu: '256',
    memory: '512',
    createdAt: at,
    startedAt: at,
    containers: [{ name: 'web', lastStatus: 'RUNNING' }],
  };
};
const paged = (all: readonly string[], token: string | undefined): { page: readonly string[]; nextToken?: string } => {
  const from = Number(token ?? 0);
  return { page: all.slice(from, from + 100), ...(from + 100 < all.length ? { nextToken: String(from + 100) } : {}) };
};
const answers = (changed: readonly object[]): Answers => ({
  ...clusterOf(changed),
  // All tasks are one service's on its page, and everybody's on that of the hosts.
  ListTasks: ({ nextToken, desiredStatus }: { readonly nextToken?: string; readonly desiredStatus?: string }) => {
    if (desiredStatus === 'STOPPED') return { taskArns: [] };
    const { page, ...rest } = paged(taskArns, nextToken);
    return { taskArns: page, ...rest };
  },
  DescribeTasks: ({ tasks }: { readonly tasks: readonly string[] }) => ({ tasks: tasks.map(taskOf) }),
  ListContainerInstances: ({ nextToken }: { readonly nextToken?: string }) => {
    const { page, ...rest } = paged(
      hosts.map((one) => one.containerInstanceArn),
      nextToken,
    );
    return { containerInstanceArns: page, ...rest };
  },
  DescribeContainerInstances: ({ containerInstances }: { readonly containerInstances: readonly string[] }) => ({
    containerInstances: hosts.filter((one) => containerInstances.includes(one.containerInstanceArn)),
  }),
  ListServiceDeployments: () => ({ serviceDeployments: [] }),
  DescribeTaskDefinition: () => ({ taskDefinition: { containerDefinitions: [] } }),
  GetMetricData: () => ({ MetricDataResults: [] }),
});

interface Measured {
  /** Milliseconds of processor time of the page's thread. */
  readonly work: number[];
  /** Milliseconds from the input to the next picture, as the browser tells it (what INP is made of). */
  readonly seen: number[];
  /** Milliseconds of the longest piece of work that nothing could come between; 0 where none took 50. */
  readonly longest: number[];
}
const measured = new Map<string, Measured>();

/** Processor time of the page's thread until now, milliseconds. */
async function worked(session: CDPSession): Promise<number> {
  const { metrics } = await session.send('Performance.getMetrics');
  return (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN) * 1000;
}

/** Resolves when what was done is on the screen and nothing of it is left to do. */
const settled = (page: Page): Promise<unknown> =>
  page.evaluate(
    'new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50))))',
  );

async function measure(
  { page, session }: { readonly page: Page; readonly session: CDPSession },
  what: string,
  act: () => Promise<unknown>,
): Promise<void> {
  await settled(page);
  await page.evaluate('events.length = pieces.length = 0');
  const before = await worked(session);
  await act();
  await settled(page);
  const work = (await worked(session)) - before;
  const seen = (await page.evaluate('Math.max(0, ...events)')) as number;
  const known = measured.get(what) ?? { work: [], seen: [], longest: [] };
  known.work.push(work);
  known.longest.push((await page.evaluate('Math.max(0, ...pieces)')) as number);
  if (seen > 0) known.seen.push(seen);
  measured.set(what, known);
}

const watchEvents = `
  globalThis.events = [];
  globalThis.pieces = [];
  new PerformanceObserver((list) => pieces.push(...list.getEntries().map(({ duration }) => duration)))
    .observe({ type: 'longtask' });
  new PerformanceObserver((list) => events.push(...list.getEntries().map(({ duration }) => duration)))
    .observe({ type: 'event', durationThreshold: 16 });
`;

/** When the first row of a table was there, milliseconds since the page was asked for. */
const watchFirst = `
  globalThis.first = new Promise((there) => {
    const look = () => document.querySelector('tbody tr td') && (watch.disconnect(), there(performance.now()));
    const watch = new MutationObserver(look);
    watch.observe(document, { childList: true, subtree: true });
  });
`;
/** Milliseconds from asking for the page in a browser that was never here to the overview of three services. */
const firsts: number[] = [];

const browser = await openBrowser();
try {
  for (let round = 0; round < 5 * rounds; round++) {
    await using standIn = await StandIn.open(clusterOf(services.slice(0, 3)));
    const { page, context } = await standIn.page(browser);
    await context.addInitScript(watchFirst);
    // The console is built when it is first opened.
    await fetch(`${standIn.url}/console/`);
    await page.goto(`${standIn.url}/console/#/`);
    firsts.push((await page.evaluate('first')) as number);
    await context.close();
  }
  for (let round = 0; round < rounds; round++) {
    await using standIn = await StandIn.open(answers(services));
    const { page, context } = await standIn.page(browser);
    await context.addInitScript(watchEvents);
    const session = await context.newCDPSession(page);
    await session.send('Performance.enable', { timeDomain: 'threadTicks' });
    const looked = { page, session };
    await page.goto(`${standIn.url}/console/#/`);
    const table = page.getByRole('table', { name: 'Services' });
    await table.getByText('service-0000').first().waitFor();
    const filter = page.getByLabel('Find a service');
    await filter.focus();
    for (const key of 'service-0777')
      await measure(looked, 'a key in the filter over 1,000 services', () => page.keyboard.press(key));
    for (let i = 0; i < 8; i++)
      await measure(looked, 'a key taken back, until all are there', () => page.keyboard.press('Backspace'));
    await filter.fill('');
    await table.getByText('service-0000').first().waitFor();
    for (let i = 0; i < 5; i++)
      await measure(looked, 'a turn of the wheel over the table', () => page.mouse.wheel(0, 3000));
    const fewer = services.map((one, i) => (i === 7 ? { ...one, runningCount: 9 } : one));
    await page.evaluate('scrollTo(0, 0)');
    await table.getByText('service-0007').first().waitFor();
    standIn.answers = answers(fewer);
    await measure(looked, 'reading the overview anew and showing that one service has a task less', () =>
      table.getByText('9 / 10').waitFor(),
    );
    await measure(looked, 'a click on a service, with all that its page reads', () =>
      table.getByRole('link', { name: 'service-0003' }).click(),
    );
    const running = page.getByRole('button', { name: /^Running/ });
    await page.getByRole('table', { name: 'Running tasks' }).waitFor();
    const stopped = page.getByRole('button', { name: /^Stopped/ });
    await measure(looked, 'a click from the 200 running tasks that are shown to those that stopped', () =>
      stopped.press('Enter'),
    );
    await measure(looked, 'and back', () => running.press('Enter'));
    await measure(looked, 'a click on Hosts, until the page begins', () =>
      page.getByRole('link', { name: 'Hosts' }).press('Enter'),
    );
    await page.getByText('service-0000').first().waitFor();
    await context.close();
  }
} finally {
  await browser.close();
}

const goal = 'at most 100 ms';
const rows = [...measured].map(([what, { work, seen, longest }]): Row => {
  const piece = Math.max(...longest);
  const until = seen.length === 0 ? '' : `; seen after ${short(median(seen))} ms (p98 ${short(quantile(seen, 0.98))})`;
  return {
    what,
    ours: `${short(median(work))} ms of a core (p98 ${short(quantile(work, 0.98))})${until}; longest piece ${piece === 0 ? 'under 50' : short(piece)} ms`,
    peer: '',
    ratio: '',
    goal: / reads$|^reading/.test(what) ? '' : goal,
  };
});
rows.unshift({
  what: 'from asking for the page to the overview of three services, nothing kept by the browser',
  ours: `${short(median(firsts))} ms (${short(Math.min(...firsts))} to ${short(Math.max(...firsts))})`,
  peer: '',
  ratio: '',
  goal: 'under 1,000 ms',
});
const section: Section = {
  name: 'console',
  title: 'The console with 1,000 services and 10,000 tasks',
  command: `npm run bench:console -- --rounds ${rounds}`,
  notes: [
    'Made-up answers, Chromium without a screen. Processor time is that of the page’s thread (Performance.getMetrics in thread ticks), from the input until nothing of it is left to do; what is seen is the browser’s own event timing, from the input to the next picture, of which INP is made, told from 16 ms on in steps of 8; pieces are its long tasks, by the clock.',
    `Work waiting for a core when it ended (load average of a minute): ${short(loadavg()[0] ?? 0)} on 2 cores.`,
  ],
  rows,
};
if (options.json === undefined) writeSection(section);
else writeFileSync(options.json, JSON.stringify(section));
process.stdout.write(`${render(section)}\n`);
