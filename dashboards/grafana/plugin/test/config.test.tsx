import type { DataSourceSettings } from '@grafana/data';
import { screen } from '@testing-library/react';
import React from 'react';
import { expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';

import { ConfigEditor } from '../src/components/ConfigEditor';
import type { MillraceOptions, MillraceSecureOptions } from '../src/query';
import { edit, expectAccessible, flip } from './editing';

type Settings = DataSourceSettings<MillraceOptions, MillraceSecureOptions>;

const settings: Settings = {
  id: 1,
  uid: 'u',
  orgId: 1,
  name: 'Millrace',
  typeLogoUrl: '',
  type: 'millrace-millrace-datasource',
  typeName: 'Millrace',
  access: 'proxy',
  url: '',
  user: '',
  database: '',
  basicAuth: false,
  basicAuthUser: '',
  isDefault: false,
  jsonData: {},
  secureJsonFields: {},
  readOnly: false,
  withCredentials: false,
};

function configure(changed: Partial<Settings> = {}) {
  return edit<Settings>({ ...settings, ...changed }, (options, onOptionsChange) => (
    <ConfigEditor options={options} onOptionsChange={onOptionsChange} />
  ));
}

test('address, token and timeout', async () => {
  const edited = configure();
  await userEvent.fill(screen.getByRole('textbox', { name: /^URL/ }), 'http://127.0.0.1:8080');
  const token = screen.getByLabelText(/^Token/);
  expect(token).toHaveAttribute('type', 'password');
  await userEvent.fill(token, 'mr_secret');
  await userEvent.fill(screen.getByRole('spinbutton', { name: /^Timeout/ }), '20');
  expect(edited.query()).toMatchObject({
    url: 'http://127.0.0.1:8080',
    jsonData: { timeoutSeconds: 20 },
    secureJsonData: { token: 'mr_secret' },
  });
  expect(JSON.stringify(edited.query().jsonData)).not.toContain('mr_secret');
  expect(screen.queryByRole('switch', { name: /TLS/ })).toBeNull(); // nothing to verify without TLS
  await expectAccessible();
  await page.screenshot({ path: '../artefacts/config.png' });
});

test('a stored token is never shown, and can be replaced', async () => {
  const edited = configure({ secureJsonFields: { token: true } });
  expect(screen.getByLabelText(/^Token/)).toHaveValue('configured');
  expect(screen.getByLabelText(/^Token/)).toBeDisabled();
  await page.screenshot({ path: '../artefacts/config-stored.png' });

  await userEvent.click(screen.getByRole('button', { name: 'Reset' }));
  expect(edited.query().secureJsonFields).toEqual({ token: false });
  expect(screen.getByLabelText(/^Token/)).toHaveValue('');
  await userEvent.fill(screen.getByLabelText(/^Token/), 'mr_new');
  expect(edited.query().secureJsonData).toEqual({ token: 'mr_new' });
});

test('TLS: a certificate authority, or none', async () => {
  const edited = configure({ url: 'https://millrace.example:8443' });
  await userEvent.fill(screen.getByRole('textbox', { name: /^CA certificate/ }), '-----BEGIN CERTIFICATE-----');
  expect(edited.query().secureJsonData).toEqual({ tlsCACert: '-----BEGIN CERTIFICATE-----' });
  await flip('Skip TLS verification Takes any certificate, and so anybody for the server: for trying things out only');
  expect(edited.query().jsonData.tlsSkipVerify).toBe(true);
  await expectAccessible();
});

test.each([
  ['localhost:8080', 'The address begins with http:// or https://'],
  ['8080', 'Write the whole address, such as http://127.0.0.1:8080'],
  ['http://u:p@host', 'Leave user and password out of the address: the token goes below, where it is kept encrypted'],
])('the address %s is refused', (url, why) => {
  configure({ url });
  expect(screen.getByText(why)).toBeVisible();
});
