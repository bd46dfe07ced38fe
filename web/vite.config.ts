import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

// Names of built files hold a digest of their content: the server lets browsers keep them for ever.
export default defineConfig({
  plugins: [svelte()],
  base: "/",
  build: {
    outDir: "../src/tolman/atlas/static",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  server: { proxy: { "/api": "http://127.0.0.1:8000" } },
});
