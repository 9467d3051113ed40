import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { playwright } from '@vitest/browser-playwright';
import { defineConfig, type Plugin } from 'vite';
import type { ViteUserConfig } from 'vitest/config';

// What Grafana hands to a plugin at run time. React's JSX runtime is not among them in every
// version of Grafana that this plugin runs in, so JSX is compiled to React.createElement.
const shared = [/^@grafana\/(data|runtime|ui)$/, 'react', 'react-dom', 'rxjs', 'rxjs/operators'];

// pluginFiles puts beside module.js what Grafana reads of a plugin: plugin.json with its
// version and date, the logo and the texts.
function pluginFiles(): Plugin {
  return {
    name: 'plugin-files',
    apply: 'build',
    generateBundle() {
      const version = process.env['PLUGIN_VERSION'] ?? '0.0.0';
      const built = process.env['SOURCE_DATE_EPOCH'];
      const date = built ? new Date(Number(built) * 1000) : new Date();
      const manifest = readFileSync('src/plugin.json', 'utf8')
        .replaceAll('%VERSION%', version)
        .replaceAll('%TODAY%', date.toISOString().slice(0, 10));
      this.emitFile({ type: 'asset', fileName: 'plugin.json', source: manifest });
      this.emitFile({ type: 'asset', fileName: 'LICENSE', source: readFileSync('../../../LICENSE') });
      for (const name of ['README.md', 'CHANGELOG.md', 'img/logo.svg']) {
        this.emitFile({ type: 'asset', fileName: name, source: readFileSync('src/' + name) });
      }
    },
  };
}

// grafanaIcons serves the icons of @grafana/ui where a Grafana has them.
function grafanaIcons(): Plugin {
  return {
    name: 'grafana-icons',
    apply: 'serve',
    configureServer(server) {
      server.middlewares.use('/public/build/', (request, response) => {
        const file = path.join('node_modules/@grafana/ui/dist/public', path.normalize(request.url ?? '/'));
        response.setHeader('Content-Type', 'image/svg+xml');
        response.end(existsSync(file) ? readFileSync(file) : '<svg xmlns="http://www.w3.org/2000/svg"/>'); // the package lacks the spinner
      });
    },
  };
}

const tests: ViteUserConfig['test'] = {
  include: ['test/**/*.test.{ts,tsx}'],
  setupFiles: ['test/setup.ts'],
  fileParallelism: false, // one tab after the other: the machine is shared with other tests
  testTimeout: 30_000,
  hookTimeout: 60_000,
  attachmentsDir: 'artefacts/attachments',
  isolate: false, // Grafana's components are loaded once, which takes longer than all tests
  browser: {
    enabled: true,
    headless: true,
    screenshotFailures: true,
    screenshotDirectory: 'artefacts/failures',
    provider: playwright({
      launchOptions: { executablePath: chromium(), args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] },
    }),
    instances: [{ browser: 'chromium', viewport: { width: 1200, height: 800 } }],
  },
};

// chromium is the system's own: nothing is downloaded for the tests.
function chromium(): string {
  try {
    return execFileSync('sh', ['-c', 'command -v "${CHROMIUM:-chromium}"'], { encoding: 'utf8' }).trim();
  } catch {
    return 'chromium'; // a build needs none; a test says what it did not find
  }
}

export default defineConfig({
  plugins: [pluginFiles(), grafanaIcons()],
  publicDir: process.env['VITEST'] ? 'dist' : false, // the tests load what was built
  esbuild: { jsx: 'transform', jsxFactory: 'React.createElement', jsxFragment: 'React.Fragment' },
  build: {
    target: 'es2022',
    outDir: 'dist',
    emptyOutDir: true,
    sourcemap: true, // Grafana's rules for plugins ask for it
    modulePreload: false,
    rollupOptions: {
      input: 'src/module.ts',
      preserveEntrySignatures: 'strict',
      external: shared,
      output: { format: 'amd', entryFileNames: 'module.js', inlineDynamicImports: true },
    },
  },
  // All at once: a package that is found on the way reloads the page under a test.
  optimizeDeps: {
    include: [
      '@grafana/data',
      '@grafana/runtime',
      '@grafana/ui',
      '@testing-library/react',
      'axe-core',
      'fast-check',
      'monaco-editor',
      'react',
      'rxjs',
      'systemjs/dist/system.js',
      'systemjs/dist/extras/amd.js',
    ],
  },
  test: tests,
} as ViteUserConfig);
