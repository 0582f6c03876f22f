/**
 * Lines as services write them, from a seed: each stream has one kind, as containers do. What differs from line to line in life (ids,
 * addresses, sizes, durations) differs here as well, and is as hard to pack: 128 and 64 bits of ids in a line of JSON, for one.
 */

export const kinds = ['json', 'json', 'access', 'logfmt', 'logfmt', 'java'] as const;
export type Kind = (typeof kinds)[number];

/** Numbers from 0 to below 1, the same from one seed. */
export function sequence(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const paths = [
  '/',
  '/login',
  '/api/v1/orders',
  '/api/v1/orders/{n}',
  '/api/v1/users/{n}/cart',
  '/assets/app.{h}.js',
  '/healthz',
  '/api/v1/search?q={w}&page={n}',
  '/img/products/{n}.webp',
  '/api/v1/users/me',
  '/metrics',
];
const agents = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36',
  'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
  'curl/8.5.0',
  'okhttp/4.12.0',
  'Go-http-client/2.0',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 Version/17.6 Mobile/15E148 Safari/604.1',
  'kube-probe/1.30',
  'Prometheus/2.53.1',
];
const words = ['shoes', 'red+dress', 'laptop', 'cable', 'tent', 'lamp', 'garden', 'coffee', 'desk'];
const done = [
  'job finished',
  'cache miss, reading from the database',
  'order accepted',
  'retrying upstream',
  'payment authorized',
  'user logged in',
];
const frames = [
  'org.springframework.web.servlet.FrameworkServlet.service(FrameworkServlet',
  'com.example.shop.order.OrderService.save(OrderService',
  'org.apache.catalina.core.ApplicationFilterChain.doFilter(ApplicationFilterChain',
  'java.base/java.lang.reflect.Method.invoke(Method',
  'com.zaxxer.hikari.pool.HikariPool.getConnection(HikariPool',
];

/** Makes a line of a kind for a time in ISO 8601; one in 25 of the kind `java` is a stack trace of many lines. */
export function serviceLines(random: () => number): (kind: Kind, at: string) => string {
  const whole = (below: number): number => Math.floor(random() * below);
  const pick = <T>(from: readonly T[]): T => from[whole(from.length)]!;
  /** The first ones more often. */
  const often = <T>(from: readonly T[]): T => from[Math.floor(from.length * random() ** 2.2)]!;
  /** Small ones mostly. */
  const size = (most: number): number => Math.floor(most * random() ** 4) + 1;
  const hex = (digits: number): string =>
    Array.from({ length: Math.ceil(digits / 8) }, () =>
      whole(2 ** 32)
        .toString(16)
        .padStart(8, '0'),
    )
      .join('')
      .slice(0, digits);
  const address = (): string => `${pick([10, 172, 84, 91, 203])}.${whole(256)}.${whole(256)}.${whole(256)}`;
  const status = (): number => often([200, 200, 200, 200, 200, 304, 404, 302, 500]);
  const path = (): string =>
    often(paths)
      .replace('{n}', () => String(whole(50_000)))
      .replace('{h}', () => hex(8))
      .replace('{w}', () => pick(words));
  const makers: { readonly [kind in Kind]: (at: string) => string } = {
    json: (at) =>
      JSON.stringify({
        time: at,
        level: 'info',
        service: 'web',
        msg: 'request completed',
        request_id: hex(32),
        trace_id: hex(16),
        remote_addr: address(),
        method: random() < 0.8 ? 'GET' : 'POST',
        path: path(),
        status: status(),
        bytes: size(90_000),
        duration_ms: size(4000) / 10,
        user_agent: often(agents),
      }),
    access: (at) =>
      `${address()} - - [${at}] "${random() < 0.85 ? 'GET' : 'POST'} ${path()} HTTP/1.1" ${status()} ${size(90_000)} "-" "${often(agents)}" rt=${(size(4000) / 1000).toFixed(3)}`,
    logfmt: (at) =>
      `time=${at} level=${often(['info', 'info', 'info', 'debug', 'warn'])} component=${pick(['worker', 'queue', 'cache', 'db'])} msg="${often(done)}" job=${hex(12)} user=${whole(20_000)} attempt=${1 + whole(2)} took=${size(900)}ms`,
    java: (at) => {
      const head = (level: string): string => `${at} ${level} 1 --- [http-nio-8080-exec-${1 + whole(20)}] c.e.shop.`;
      if (random() >= 0.04)
        return `${head(' INFO')}${pick(['order.OrderService', 'cart.CartController', 'user.UserRepository'])} : ${pick(['Saved order', 'Loaded cart of user', 'Evicted session'])} ${whole(1_000_000)} in ${size(500)} ms`;
      const trace = Array.from({ length: 10 + whole(20) }, () => `\tat ${pick(frames)}.java:${whole(900)})`);
      return `${head('ERROR')}order.OrderService : Could not save order ${whole(1_000_000)}\njava.sql.SQLTransientConnectionException: HikariPool-1 - Connection is not available, request timed out after ${30_000 + whole(50)}ms.\n${trace.join('\n')}`;
    },
  };
  return (kind, at) => makers[kind](at);
}
