/**
 * Trusted Types (W3C): this page hands no text to the browser as HTML or script. The one address that is run, the map's
 * worker, is let through by name.
 */
type Policy = { readonly createScriptURL: (url: string) => string };
type Factory = { readonly createPolicy: (name: string, rules: Policy) => unknown };

const trusted = new Set<string>();

/** To be called once, before anything else. */
export function setUpTrustedTypes(): void {
  const factory = (globalThis as { readonly trustedTypes?: Factory }).trustedTypes;
  factory?.createPolicy("default", {
    createScriptURL: (url) => {
      if (trusted.has(url)) return url;
      throw new TypeError("this page runs no such script");
    },
  });
}

export function trustWorker(url: string): void {
  trusted.add(url);
}
