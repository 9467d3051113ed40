// The built plugin, loaded as Grafana loads it: by SystemJS, with the packages that Grafana shares.
import * as data from '@grafana/data';
import * as runtime from '@grafana/runtime';
import * as ui from '@grafana/ui';
import * as React from 'react';
import * as rxjs from 'rxjs';
import 'systemjs/dist/system.js';
import 'systemjs/dist/extras/amd.js';
import { expect, test } from 'vitest';

import manifest from '../src/plugin.json';

const shared: Record<string, object> = { '@grafana/data': data, '@grafana/runtime': runtime, '@grafana/ui': ui, react: React, rxjs };

async function built(file: string): Promise<Response> {
  const response = await fetch(`/${file}`);
  expect(response.ok, `dist/${file} is not there: npm run build comes before the tests`).toBe(true);
  return response;
}

test('module.js is a plugin with all its parts, and needs only what Grafana shares', async () => {
  const names = Object.keys(shared);
  System.addImportMap({ imports: Object.fromEntries(names.map((name) => [name, `shared:${name}`])) });
  names.forEach((name) => System.set(`shared:${name}`, shared[name] ?? {}));

  const code = await (await built('module.js')).text();
  expect(code.length, 'module.js in bytes').toBeLessThan(64 << 10);
  expect(code).not.toContain('jsx-runtime'); // it differs between Grafana's versions

  const { plugin } = await System.import<{ plugin: data.DataSourcePlugin<data.DataSourceApi> }>('/module.js');
  expect(plugin.components.ConfigEditor).toBeTypeOf('function');
  expect(plugin.components.QueryEditor).toBeTypeOf('function');
  expect(plugin.components.QueryEditorHelp).toBeTypeOf('function');
  expect(plugin.DataSourceClass).toBeTypeOf('function');
});

test('plugin.json has its version and date, and the files that it names are there', async () => {
  const made = (await (await built('plugin.json')).json()) as typeof manifest;
  expect(made.info.version).toMatch(/^\d+\.\d+\.\d+/);
  expect(made.info.updated).toMatch(/^\d{4}-\d\d-\d\d$/);
  expect({ ...made, info: { ...made.info, version: '', updated: '' } }).toEqual({ ...manifest, info: { ...manifest.info, version: '', updated: '' } });
  for (const file of [made.info.logos.small, made.info.logos.large, 'README.md', 'CHANGELOG.md', 'LICENSE']) {
    await built(file);
  }
});
