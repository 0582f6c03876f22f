import type { Router } from '@koa/router';
import type { Registry } from '@prometheus-io/client';
import type Koa from 'koa';
import { type BlockList, isIP } from 'node:net';
import type { Exchange } from './exchange.ts';
import type { Origins } from './origin.ts';

export interface OwnRoutesPorts {
  readonly token: (ctx: Koa.Context, exchange: Exchange) => Promise<void>;
  readonly registry: Registry;
  readonly metricsFrom: BlockList;
  readonly origins: Origins;
  readonly ready: () => Promise<{ readonly ok: boolean; readonly parts?: Readonly<Record<string, string>> }>;
  readonly closing: () => boolean;
}

/** The gateway's own paths: health for load balancers, metrics for Prometheus, tokens for docker clients. */
export function ownRoutes(router: Router, ports: OwnRoutesPorts): Router {
  const exchangeOf = (ctx: { state: Record<string, unknown> }): Exchange => ctx.state['exchange'] as Exchange;

  // Whoever restarts what is not alive asks this: a process that answers is, whatever it waits for.
  router.get('/healthz', (ctx) => {
    exchangeOf(ctx).operation = 'health';
    ctx.status = ports.closing() ? 503 : 200;
    ctx.body = { status: ports.closing() ? 'stopping' : 'ok' };
  });

  // Whoever shares requests out asks this.
  router.get('/readyz', async (ctx) => {
    exchangeOf(ctx).operation = 'ready';
    const { ok, parts: details } = await ports.ready().catch(() => ({ ok: false, parts: undefined }));
    // A server that is about to stop takes no new clients.
    const well = ok && !ports.closing();
    ctx.status = well ? 200 : 503;
    ctx.body = {
      status: well ? 'ok' : ports.closing() ? 'stopping' : 'unavailable',
      ...(details === undefined ? {} : { parts: details }),
    };
  });

  router.get('/metrics', async (ctx) => {
    const exchange = exchangeOf(ctx);
    exchange.operation = 'metrics';
    const { sourceIp } = exchange;
    const hidden = ports.origins.isForwardedByStranger(ctx.req);
    if (hidden || isIP(sourceIp) === 0 || !ports.metricsFrom.check(sourceIp, isIP(sourceIp) === 6 ? 'ipv6' : 'ipv4')) {
      ctx.status = 403;
      ctx.body = 'Metrics are not open to this address.\n';
      return;
    }
    ctx.set('Content-Type', ports.registry.contentType);
    ctx.body = await ports.registry.metrics();
  });

  const token = (ctx: unknown): Promise<void> => ports.token(ctx as Koa.Context, exchangeOf(ctx as Koa.Context));
  router.get('/token', token);
  router.post('/token', token);
  return router;
}
