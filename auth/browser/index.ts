export type { OidcSettings } from './oidc-client.ts';
export { browserRows } from './keys.ts';
export { type Browser, type BrowserOptions, openBrowser } from './open-browser.ts';
