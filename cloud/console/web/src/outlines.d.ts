/** Made when the page is built (vite.config.ts). */
declare module "virtual:outlines" {
  const url: string;
  // biome-ignore lint/style/noDefaultExport: as every address of a file is imported.
  export default url;
}
