/** Vitest global set-up: stops at once when the tests run on another Node than the pinned one (a denied install script falls back silently). */
export default function requireRuntime(): void {
  if (!process.versions.node.startsWith('26.')) {
    throw new Error(`tests need the pinned Node 26, this is ${process.version}: run them with "npm test"`);
  }
}
